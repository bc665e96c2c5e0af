package test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNamedPipesHoldNobody gives each command that reads a file of the user's choice a pipe that nobody will ever write to.
func TestNamedPipesHoldNobody(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "config.json")
	whole := filepath.Join(dir, "model")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Mkdir(whole, 0o700),
		os.WriteFile(filepath.Join(whole, "config.json"), []byte(`{"model_type":"bert"}`), 0o600),
		os.WriteFile(filepath.Join(whole, "tokenizer.json"), []byte(`{}`), 0o600),
		syscall.Mkfifo(filepath.Join(whole, "model.safetensors"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"models", "import", dir},
		{"models", "import", pipe},
		{"models", "import", whole, "--name", "m"},
		{"tokenize", "--tokenizer", pipe, "text"},
		{"models", "bench", model, "--prompts", pipe},
		{"submit", "--model", model, "--force", "--dry-run", pipe},
		{"daemon", "--check-config", "-c", pipe},
		{"daemon", "--check-config", "--set", "nats.token_file=" + pipe},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var said strings.Builder
		cmd := call{}.command(t, ctx, args...)
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		if cancel(); err == nil || ctx.Err() == context.DeadlineExceeded || !strings.Contains(said.String(), "no regular file") {
			t.Errorf("textmill %s: %v\n%s", strings.Join(args, " "), err, said.String())
		}
	}
	if r := (call{stdin: "a text\n"}).run(t, "submit", "--model", model, "--force", "--dry-run", "--format", "text", "/dev/stdin"); r.code != 0 || !strings.Contains(r.stdout, "records  1") {
		t.Errorf("/dev/stdin: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
