package test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"textmill/internal/avx2/processor"
	"textmill/internal/foreign"
)

// block is a fenced block of a guide: ```bash, ```python, or ```text, which is what the block before it prints. What stands behind
// the language says how it is run.
type block struct {
	language, how string
	code          string
}

const (
	notRun = "not run"          // needs what the tests do not have; the guide says so
	kills  = "kills the daemon" // with SIGKILL, before it starts another
)

func blocks(t *testing.T, guide string) (all []block) {
	t.Helper()
	data, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for line := range strings.Lines(string(data)) {
		fence, ok := strings.CutPrefix(line, "```")
		switch {
		case ok && open == nil:
			language, how, _ := strings.Cut(strings.TrimSpace(fence), " ")
			open = &block{language: language, how: how}
		case ok:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.code += line
		}
	}
	if open != nil {
		t.Fatalf("%s: a block does not end", guide)
	}
	return all
}

// reader is somebody who follows a guide: a user with an empty home but for what `textmill setup` obtained.
type reader struct {
	t      *testing.T
	home   string
	dir    string
	daemon *daemon
}

// environment has the binary of this tree as textmill, and the Python with the guide's libraries as python.
func (r *reader) environment() []string {
	env := []string{
		"HOME=" + r.home, "LANG=C.UTF-8", "VIRTUAL_ENV=" + filepath.Dir(filepath.Dir(foreign.Interpreter(r.t))),
		"PATH=" + strings.Join([]string{filepath.Dir(binary), filepath.Dir(foreign.Interpreter(r.t)), os.Getenv("PATH")}, string(filepath.ListSeparator)),
	}
	env = append(env, processor.Env()...)
	if r.daemon != nil {
		env = append(env, "TEXTMILL_NATS_URL="+r.daemon.nats)
	}
	return env
}

// run runs a block and returns what it printed, on standard error first as a terminal may show it.
func (r *reader) run(b block) string {
	r.t.Helper()
	if strings.HasPrefix(b.code, "textmill daemon") {
		r.serve(b)
		return ""
	}
	cmd := r.command("bash", "-euo", "pipefail", "-c", b.code)
	if b.language == "python" {
		cmd = r.command("python", "-c", b.code+foreign.Leave)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v\n%s\n%s\n%s", err, b.code, stderr.String(), stdout.String())
	}
	return stderr.String() + stdout.String()
}

func (r *reader) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir, cmd.Env = r.dir, r.environment()
	if name == "python" {
		cmd.Path = foreign.Interpreter(r.t)
	}
	return cmd
}

// serve starts the guide's daemon beside it, on ports that the kernel chooses.
func (r *reader) serve(b block) {
	r.t.Helper()
	if (r.daemon != nil) != (b.how == kills) {
		r.t.Fatalf("a daemon runs: %t, and this block %q:\n%s", r.daemon != nil, b.how, b.code)
	}
	if r.daemon != nil {
		r.daemon.kill()
		r.daemon = nil
	}
	cmd := exec.CommandContext(context.WithoutCancel(r.t.Context()), "bash", "-euc", "exec "+b.code)
	cmd.Dir, cmd.Env = r.dir, append(r.environment(), "TEXTMILL_NATS_EMBEDDED_ADDR=127.0.0.1:0", "TEXTMILL_HTTP_ADDR=127.0.0.1:0",
		"TEXTMILL_LOG_FORMAT=json", "TEXTMILL_EXPORT_COMMIT_INTERVAL=200ms", "TEXTMILL_NATS_ACK_WAIT=3s")
	r.daemon = startCommand(r.t, r.home, cmd)
}

// TestGuides does what the guides say, in their order, and compares what the commands print with what the guides show.
func TestGuides(t *testing.T) {
	guides, err := filepath.Glob("../docs/guides/*.md")
	if err != nil || len(guides) < 3 {
		t.Fatalf("found %v: %v", guides, err)
	}
	for _, guide := range guides {
		t.Run(strings.TrimSuffix(filepath.Base(guide), ".md"), func(t *testing.T) {
			r := &reader{t: t, home: t.TempDir(), dir: t.TempDir()}
			cache := filepath.Join(r.home, ".cache")
			if err := os.Mkdir(cache, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(newHome(t), filepath.Join(cache, "textmill")); err != nil {
				t.Fatal(err)
			}
			foreign.PythonWith(t, []string{"HOME=" + r.home}, installDelta)
			ran, printed := 0, ""
			for _, b := range blocks(t, guide) {
				switch {
				case b.how == notRun:
				case b.language == "text":
					if !shows(b.code, printed) {
						t.Errorf("%s shows\n%s\nfor what prints\n%s", guide, b.code, printed)
					}
				case b.language == "bash" || b.language == "python":
					printed = r.run(b)
					ran++
				default:
					t.Errorf("%s: a block of %q is neither run nor said to be not run:\n%s", guide, b.language, b.code)
				}
			}
			if ran < 5 {
				t.Errorf("%s has %d blocks that were run", guide, ran)
			}
		})
	}
}

// shows tells whether text is what was printed, where an ellipsis stands for anything.
func shows(text, printed string) bool {
	var pattern strings.Builder
	for i, part := range strings.Split(text, "…") {
		if i > 0 {
			pattern.WriteString(`(?s:.*)`)
		}
		pattern.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(printed)
}
