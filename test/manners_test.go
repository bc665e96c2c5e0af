package test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

func TestWhatWasMeantIsSaid(t *testing.T) {
	home := newHome(t)
	c := call{home: home, env: quick, stdin: `{"text":"one"}` + "\n"}
	c.ok(t, "embed", "--model", model, "--out", home+"/tables/docs")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"embd"}, 2, "did you mean embed?"},
		{[]string{"models", "inspct"}, 2, "did you mean inspect?"},
		{[]string{"quite-another-word"}, 2, `unknown command "quite-another-word" of textmill` + "\n"},
		{[]string{"help", "submitt"}, 2, `unknown command "submitt" of textmill; did you mean submit?`},
		{[]string{"help", "table", "lod"}, 2, `unknown command "lod" of textmill table`},
		{[]string{"help", "table", "load"}, 0, ""},
		{[]string{"daemon", "now"}, 2, `textmill daemon takes no arguments, and was given "now"`},
		{[]string{"trace", "--model", model}, 2, "call it as: textmill trace --model M [--param k=v]... TEXT"},
		{[]string{"search", "docs", "--metric", "cosin", "x"}, 2, "none of cosine, dot, euclidean and hamming"},
		{[]string{"submit", "--datset", "d"}, 2, "did you mean --dataset?"},
		{[]string{"embed", "--model", "all-MiniLM-L6-v3", "x"}, 1, "did you mean " + model + "?"},
		{[]string{"table", "info", "dcos"}, 1, "did you mean docs?"},
		{[]string{"table", "verify", "quite-another-one"}, 1, "textmill table list"},
		{[]string{"submit", "--model", model, "--force", "--dataset", "_delta_log", "--dry-run", "-"}, 2, "begins with _"},
		{[]string{"submit", "--model", model, "--force", "--dataset", "_textmill", "--dry-run", "-"}, 2, "begins with _"},
		{[]string{"embed", "--model", model, "--out", home + "/tables/_delta_log"}, 1, "not beginning with _"},
		{[]string{"table", "files", "--json", "-0", "docs"}, 2, "--json or -0"},
	} {
		if r := c.run(t, tc.args...); r.code != tc.code || !strings.Contains(r.stderr, tc.want) {
			t.Errorf("textmill %s: exit %d, want %d and %q\n%s", strings.Join(tc.args, " "), r.code, tc.code, tc.want, r.stderr)
		}
	}
}

func TestTablesByName(t *testing.T) {
	home := newHome(t)
	c := call{home: home, env: quick, stdin: `{"text":"one"}` + "\n", dir: t.TempDir()}
	if r := c.ok(t, "table", "list"); r.stdout != "" || !strings.Contains(r.stderr, "no tables in "+home) {
		t.Errorf("without tables: %q, %q", r.stdout, r.stderr)
	}
	for _, dir := range []string{home + "/tables/docs", home + "/tables/notes", "notes", "here"} {
		c.ok(t, "embed", "--model", model, "--out", dir)
	}
	type listed struct {
		Dataset, Path, Embedding string
		Rows, Files, Bytes       int
		Version                  int
	}
	list := lines[listed](t, c.ok(t, "table", "list", "--json").stdout)
	if len(list) != 2 || list[0].Dataset != "docs" || list[0].Rows != 1 || list[0].Path != home+"/tables/docs" || list[1].Dataset != "notes" {
		t.Errorf("table list --json: %+v", list)
	}
	if r := c.ok(t, "table", "list"); strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("table list:\n%s", r.stdout)
	}
	for arg, want := range map[string]string{
		"docs": home + "/tables/docs", "here": c.dir + "/here", "./notes": c.dir + "/notes", home + "/tables/notes": home + "/tables/notes",
	} {
		if r := c.ok(t, "table", "info", arg); !strings.Contains(r.stdout, want+"\n") {
			t.Errorf("table info %s:\n%s", arg, r.stdout)
		}
		for _, sub := range [][]string{{"files"}, {"verify"}, {"export", "--format", "openai-batch"}} {
			if r := c.ok(t, append(append([]string{"table"}, sub...), arg)...); r.stdout == "" {
				t.Errorf("table %s %s says nothing", sub[0], arg)
			}
		}
	}
	if r := c.run(t, "table", "info", "notes"); r.code != 2 || !strings.Contains(r.stderr, "write ./notes or "+home+"/tables/notes") {
		t.Errorf("a name that is two tables: exit %d, %s", r.code, r.stderr)
	}
}

// TestCompletion asks for names as a shell does, beside a daemon, without one, and where a server accepts and says nothing.
func TestCompletion(t *testing.T) {
	d := startDaemon(t, newHome(t))
	d.submit("docs", "first-job", corpus(1, 1))
	d.client().ok(t, "watch", "first-job")
	d.publish(message{Subject: "textmill.jobs.embed." + model, Data: "{"})
	letter := d.dead(1)[0].ID

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	mute := d.client()
	mute.env = []string{"TEXTMILL_NATS_URL=nats://" + silent.Addr().String()}
	nobody := d.client()
	nobody.env = []string{"TEXTMILL_NATS_URL=nats://127.0.0.1:9"}
	for _, tc := range []struct {
		c    call
		args []string
		want string // a name of the answer; "" for none
	}{
		{d.client(), []string{"embed", "--model", "all-M"}, model},
		{d.client(), []string{"models", "inspect", ""}, model},
		{d.client(), []string{"submit", "--dataset", ""}, "docs"},
		{d.client(), []string{"submit", "--param", "top_k"}, "top_k=\tdraws from the k likeliest tokens; 0 from all (a whole number from 0)"},
		{d.client(), []string{"table", "info", "d"}, "docs"},
		{d.client(), []string{"status", "fi"}, "first-job"},
		{d.client(), []string{"cancel", ""}, "first-job"},
		{d.client(), []string{"dead", "show", ""}, letter},
		{d.client(), []string{"mod"}, "models\tLook at, obtain and check the models of the cache"},
		{mute, []string{"status", ""}, ""},
		{nobody, []string{"watch", ""}, ""},
		{nobody, []string{"embed", "--model", "all-M"}, model},
	} {
		begun := time.Now()
		r := tc.c.ok(t, append([]string{"__complete"}, tc.args...)...)
		names, _, _ := strings.Cut(r.stdout, ":")
		if found := strings.Contains("\n"+names, "\n"+tc.want+"\n"); tc.want == "" && names != "" || tc.want != "" && !found {
			t.Errorf("%v completes to %q, want %q", tc.args, r.stdout, tc.want)
		}
		if took := time.Since(begun); took > 20*time.Second { // it waits for a second; the rest is a busy machine's
			t.Errorf("%v took %v", tc.args, took)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := (call{}).ok(t, "completion", shell); !strings.Contains(r.stdout, "__complete") {
			t.Errorf("the script for %s: %.100q", shell, r.stdout)
		}
	}
}

func TestVersionAndQuiet(t *testing.T) {
	if r := (call{}).ok(t, "version"); !strings.HasPrefix(r.stdout, "textmill devel (") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("version: %q", r.stdout)
	}
	var v struct{ Version, Go, OS, Arch string }
	if err := json.Unmarshal([]byte(call{}.ok(t, "version", "--json").stdout), &v); err != nil || v.Version != "devel" || v.Go == "" || v.OS == "" || v.Arch == "" {
		t.Errorf("version --json: %+v, %v", v, err)
	}
	home := newHome(t)
	type installed struct {
		Name, Version, Source, Path string
		Fresh                       bool
	}
	r := call{home: home}.ok(t, "setup", "--json", "--quiet")
	if list := lines[installed](t, r.stdout); len(list) != 3 || list[1].Name != model || list[1].Fresh || !strings.HasPrefix(list[1].Path, home) || r.stderr != "" {
		t.Errorf("setup --json --quiet: %+v\n%s", list, r.stderr)
	}
	if r := (call{home: home}).ok(t, "setup"); r.stdout != "" || r.stderr == "" {
		t.Errorf("setup: %q, %q", r.stdout, r.stderr)
	}
}
