package test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// copyModel gives a home a copy of the model that may be damaged.
func copyModel(t testing.TB, home, name string) string {
	t.Helper()
	from, err := filepath.EvalSymlinks(filepath.Join(newHome(t), "models", model))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(home, "models", name)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// modelsHome is a TEXTMILL_HOME without models.
func modelsHome(t testing.TB) string {
	t.Helper()
	home := newHome(t)
	models := filepath.Join(home, "models")
	if err := os.Remove(models); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(models, 0o700); err != nil {
		t.Fatal(err)
	}
	return home
}

// TestDamagedModel serves beside a sound model one that is damaged in each way in turn: it is named with its file and left
// out, or refused when it is the one that was asked for.
func TestDamagedModel(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string) error
		want   []string
	}{
		{"config.json of 0 bytes", func(_ *testing.T, dir string) error {
			return os.Truncate(filepath.Join(dir, "config.json"), 0)
		}, []string{"config.json"}},
		{"config.json that cannot be read", func(_ *testing.T, dir string) error {
			file := filepath.Join(dir, "config.json")
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Symlink("config.json", file) // not even by root
		}, []string{"config.json"}},
		{"graph cut short", func(_ *testing.T, dir string) error {
			return os.Truncate(filepath.Join(dir, "onnx", "model.onnx"), 5000)
		}, []string{"model.onnx", "5000"}},
		{"graph cut short, and no record of what it was", func(_ *testing.T, dir string) error {
			if err := os.Remove(filepath.Join(dir, "textmill.json")); err != nil {
				return err
			}
			return os.Truncate(filepath.Join(dir, "onnx", "model.onnx"), 5000)
		}, []string{"model.onnx"}},
		{"weights cut short", func(_ *testing.T, dir string) error {
			return os.Truncate(filepath.Join(dir, "onnx", "model.onnx.data"), 1<<20)
		}, []string{"model.onnx.data", "1048576"}},
		{"a file with another SHA-256", flipByte, []string{"tokenizer.json", "sha256"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := modelsHome(t)
			dir := copyModel(t, home, "damaged")
			if err := tc.damage(t, dir); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			alone := call{home: home, env: daemonEnv()[:3]}.command(t, ctx, "daemon")
			var log bytes.Buffer
			alone.Stderr = &log
			if err := alone.Run(); alone.ProcessState.ExitCode() != 1 {
				t.Errorf("a daemon with nothing else to serve: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the daemon does not say %q:\n%s", want, log.String())
				}
			}
			if r := (call{home: home}).run(t, "embed", "--model", "damaged", "x"); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, tc.want[0]) {
				t.Errorf("embed: exit %d, %s%s", r.code, r.stdout, r.stderr)
			}
			if r := (call{home: home}).run(t, "models", "verify", "damaged"); r.code != 1 || !strings.Contains(r.stdout+r.stderr, tc.want[0]) {
				t.Errorf("models verify: exit %d, %s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}

// flipByte changes the file behind a recorded hash and nothing else: not its size, not its syntax.
func flipByte(t *testing.T, dir string) error {
	t.Helper()
	file := filepath.Join(dir, "tokenizer.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := bytes.Replace(data, []byte(`"hello"`), []byte(`"hellp"`), 1)
	if bytes.Equal(changed, data) {
		t.Fatal("the vocabulary has no hello")
	}
	return os.WriteFile(file, changed, 0o600)
}

// TestSoundModelBesideADamagedOne is served all the same, and who asks for the damaged one by name is refused.
func TestSoundModelBesideADamagedOne(t *testing.T) {
	home := modelsHome(t)
	copyModel(t, home, "sound")
	if err := os.Truncate(filepath.Join(copyModel(t, home, "damaged"), "onnx", "model.onnx"), 1<<20); err != nil {
		t.Fatal(err)
	}
	d := startCommand(t, home, call{home: home, env: append(daemonEnv()[:4:4], "TEXTMILL_NATS_ACK_WAIT=3s")}.command(t, t.Context(), "daemon"))
	d.await(logged("model not served"), 1)
	c := d.client()
	c.stdin = `{"id":"a","text":"x"}`
	c.ok(t, "submit", "--model", "sound", "--dataset", "sound", "--job", "sound", "-")
	if got := rows(t, d.table("sound")); len(got) != 1 || got["a"].Error != "" {
		t.Errorf("rows: %+v", got)
	}
	d.kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config := filepath.Join(home, "textmill.yaml")
	write(t, config, "models:\n  sound: {}\n  damaged: {}\n")
	named := call{home: home, env: daemonEnv()[:3]}.command(t, ctx, "daemon", "-c", config)
	var log bytes.Buffer
	named.Stderr = &log
	if err := named.Run(); named.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "model.onnx") {
		t.Errorf("a daemon that is told to serve a damaged model: %v\n%s", err, log.String())
	}
}

// TestServerWithoutJetStream is refused with what to do about it.
func TestServerWithoutJetStream(t *testing.T) {
	home := newHome(t)
	url, _ := startNATS(t)
	env := []string{"TEXTMILL_NATS_URL=" + url}
	for _, args := range [][]string{
		{"daemon"}, {"status"}, {"dead", "list"}, {"submit", "--model", model, "-"},
	} {
		c := call{home: home, env: append(daemonEnv(), env...), stdin: `{"text":"x"}`}
		if args[0] != "daemon" {
			c.env = env
		}
		r := c.run(t, args...)
		if r.code != 1 || !strings.Contains(r.stderr, "JetStream") || !strings.Contains(r.stderr, "-js") || r.stdout != "" {
			t.Errorf("textmill %v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
		}
	}
}
