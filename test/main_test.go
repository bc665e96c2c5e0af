package test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"textmill/ground/places"
	"textmill/internal/avx2/processor"
)

const model = "all-MiniLM-L6-v2"

var (
	binary   string // built from this tree for these tests
	raceFlag = "-race=false"
)

func TestMain(m *testing.M) {
	code, err := build(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "textmill-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "textmill")
	cmd := exec.Command("go", "build", raceFlag, "-o", binary, "textmill/cmd/textmill")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build textmill: %w\n%s", err, out)
	}
	return run(), nil
}

// result is what a finished command left behind.
type result struct {
	stdout, stderr string
	code           int
}

// call is one run of the binary.
type call struct {
	binary string   // empty: the one of this tree
	home   string   // TEXTMILL_HOME; empty: an empty directory
	env    []string // beside the few variables that a child always gets
	stdin  string
	dir    string
}

func (c call) command(t testing.TB, ctx context.Context, args ...string) *exec.Cmd {
	t.Helper()
	if c.home == "" {
		c.home = t.TempDir()
	}
	cmd := exec.CommandContext(ctx, cmp.Or(c.binary, binary), args...)
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "TEXTMILL_HOME=" + c.home}, slices.Concat(processor.Env(), c.env)...)
	cmd.Stdin = strings.NewReader(c.stdin)
	return cmd
}

// run waits for the command and returns what it left; that it failed is for the caller to judge.
func (c call) run(t testing.TB, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := c.command(t, t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("textmill %v: %v", args, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok is run for commands that must succeed.
func (c call) ok(t testing.TB, args ...string) result {
	t.Helper()
	r := c.run(t, args...)
	if r.code != 0 {
		t.Fatalf("textmill %s: exit %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r
}

// sharedHome is where `textmill setup` put the library and the models. What sessions measure of them is measured there once, so
// that not every home has to.
var sharedHome = sync.OnceValues(func() (string, error) {
	home, err := places.Home()
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{{"models", "verify", "all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"}, {"embed", "--model", "all-MiniLM-L6-v2"}} {
		cmd := exec.Command(binary, args...)
		cmd.Env = append(processor.Env(), "PATH="+os.Getenv("PATH"), "HOME="+home, "TEXTMILL_HOME="+home)
		cmd.Stdin = strings.NewReader(`{"id":"a","text":"a"}`)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("textmill %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return home, nil
})

// newHome is a TEXTMILL_HOME of the test's own that shares the library and the models that `textmill setup` obtained, and knows
// what was measured of them.
func newHome(t testing.TB) string {
	t.Helper()
	shared, err := sharedHome()
	if err != nil {
		t.Fatalf("%v; run make test, which sets up what tests need", err)
	}
	home := t.TempDir()
	library := func(home string) string { return filepath.Dir(places.Library(home)) }
	for _, dir := range []func(string) string{library, places.Models} {
		from := dir(shared)
		if _, err := os.Stat(from); err != nil {
			t.Fatalf("%v; run make test, which sets up what tests need", err)
		}
		if err := os.Symlink(from, dir(home)); err != nil {
			t.Fatal(err)
		}
	}
	for _, book := range []func(string) string{places.RunShapes, places.BatchTokens} {
		data, err := os.ReadFile(book(shared))
		if err == nil {
			err = os.WriteFile(book(home), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}
