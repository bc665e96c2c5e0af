package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commands walks --help down from the root and lists every command path.
func commands(t *testing.T) [][]string {
	t.Helper()
	var all [][]string
	var walk func(path []string)
	listed := regexp.MustCompile(`(?m)^  ([a-z]+) `)
	walk = func(path []string) {
		all = append(all, path)
		help := call{}.ok(t, append(slices.Clone(path), "--help")...).stdout
		_, list, ok := strings.Cut(help, "Available Commands:\n")
		if !ok {
			return
		}
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range listed.FindAllStringSubmatch(list, -1) {
			if m[1] != "help" {
				walk(append(slices.Clone(path), m[1]))
			}
		}
	}
	walk(nil)
	return all
}

func TestEveryCommandHasHelpAndVersion(t *testing.T) {
	all := commands(t)
	for _, want := range []string{
		"setup", "demo", "daemon", "submit", "status", "watch", "cancel", "dead list", "dead show", "dead retry", "embed",
		"tokenize", "models list", "models pull", "models inspect", "models verify", "models bench", "table info", "table files",
		"table verify", "generate", "trace",
	} {
		if !slices.ContainsFunc(all, func(p []string) bool { return strings.Join(p, " ") == want }) {
			t.Errorf("there is no textmill %s", want)
		}
	}
	for _, path := range all {
		name := strings.Join(path, " ")
		help := call{}.ok(t, append(slices.Clone(path), "--help")...)
		if len(path) > 0 && !strings.Contains(help.stdout, "Examples:\n  ") || help.stderr != "" {
			t.Errorf("textmill %s --help has no example, or writes to standard error", name)
		}
		version := call{}.ok(t, append(slices.Clone(path), "--version")...)
		if !strings.HasPrefix(version.stdout, "textmill ") || strings.Count(version.stdout, "\n") != 1 {
			t.Errorf("textmill %s --version: %q", name, version.stdout)
		}
	}
}

func TestWrongUsageIsExit2(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string // on standard error
	}{
		{nil, "name a command"},
		{[]string{"embd"}, `unknown command "embd"`},
		{[]string{"dead"}, "name a command"},
		{[]string{"dead", "lst"}, `unknown command "lst"`},
		{[]string{"--frob"}, "unknown flag: --frob"},
		{[]string{"embed", "--modelx", "x"}, "unknown flag: --modelx"},
		{[]string{"embed", "text"}, "--model is needed"},
		{[]string{"embed", "--model", model, "--param", "normalize", "x"}, `"normalize" is not of the form name=value`},
		{[]string{"embed", "--model", model, "--param", "dimension=3", "x"}, `did you mean dimensions?`},
		{[]string{"embed", "--model", model, "--param", "pooling=median", "x"}, `"median" is not one of`},
		{[]string{"tokenize", "text"}, "either --model or --tokenizer"},
		{[]string{"tokenize", "--model", model, "--tokenizer", "x"}, "either --model or --tokenizer"},
		{[]string{"tokenize", "--model", model, "--skip-special-tokens"}, "belongs to --decode"},
		{[]string{"submit", "--model", model}, "name a FILE"},
		{[]string{"watch"}, "accepts 1 arg"},
		{[]string{"status", "a", "b"}, "accepts at most 1 arg"},
		{[]string{"dead", "retry"}, "name the letters"},
		{[]string{"models", "inspect"}, "accepts 1 arg"},
		{[]string{"table", "info"}, "accepts 1 arg"},
		{[]string{"daemon", "extra"}, `takes no arguments, and was given "extra"`},
		{[]string{"daemon", "--set", "export.url=x", "--check-config"}, `did you mean "export.uri"?`},
	} {
		r := call{}.run(t, tc.args...)
		if r.code != 2 || !strings.Contains(r.stderr, tc.want) || r.stdout != "" {
			t.Errorf("textmill %s: exit %d, want 2 and %q on standard error alone\nstdout: %s\nstderr: %s",
				strings.Join(tc.args, " "), r.code, tc.want, r.stdout, r.stderr)
		}
	}
}

func TestFailureIsExit1(t *testing.T) {
	home := newHome(t)
	// Nobody listens on a port of this machine's discard service.
	nobody := []string{"TEXTMILL_NATS_URL=nats://127.0.0.1:9"}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"embed", "--model", "no-such", "x"}, `there is no model "no-such"`},
		{[]string{"tokenize", "--tokenizer", "/nowhere/tokenizer.json", "x"}, "no such file"},
		{[]string{"models", "verify", "no-such"}, `there is no model "no-such"`},
		{[]string{"table", "info", "/nowhere/table"}, "/nowhere/table"},
		{[]string{"daemon", "-c", "/nowhere/textmill.yaml"}, "/nowhere/textmill.yaml"},
		{[]string{"status"}, "127.0.0.1:9"},
	} {
		r := call{home: home, env: nobody}.run(t, tc.args...)
		if r.code != 1 || !strings.Contains(r.stderr, tc.want) || r.stdout != "" {
			t.Errorf("textmill %s: exit %d, want 1 and %q on standard error alone\nstdout: %s\nstderr: %s",
				strings.Join(tc.args, " "), r.code, tc.want, r.stdout, r.stderr)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	r := call{env: []string{"TEXTMILL_NATS_TOKEN=hunter2", "TEXTMILL_DRAIN_TIMEOUT=7s"}}.ok(t, "daemon", "--check-config")
	if !strings.Contains(r.stdout, "drain_timeout: 7s\n") || strings.Contains(r.stdout+r.stderr, "hunter2") {
		t.Errorf("what holds is not printed, or a secret is:\n%s", r.stdout)
	}
	r = call{env: []string{"TEXTMILL_DRAIN_TIMEOUT=soon", "TEXTMILL_HTTP_ADDR=x", "TEXTMILL_NAT_URL=y"}}.run(t, "daemon", "--check-config")
	for _, want := range []string{"drain_timeout", "http.addr", "did you mean TEXTMILL_NATS_URL?"} {
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("exit %d without %q:\n%s", r.code, want, r.stderr)
		}
	}
}
