package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/ground/places"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "textmill.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, o Options) Config {
	t.Helper()
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadPrecedence(t *testing.T) {
	file := write(t, "drain_timeout: 1s\nexport: {commit_interval: 1s, part_bytes: 1MiB}\nnats: {ack_wait: 2s}\n")
	c := load(t, Options{
		Path: file,
		Env:  []string{"TEXTMILL_DRAIN_TIMEOUT=2s", "TEXTMILL_EXPORT_COMMIT_INTERVAL=2s", "TEXTMILL_LOG_LEVEL=", "PATH=/bin"},
		Set:  []string{"drain_timeout=3s"},
	})
	if c.DrainTimeout != 3*time.Second {
		t.Errorf("flag over environment: drain_timeout = %s", c.DrainTimeout)
	}
	if c.Export.CommitInterval != 2*time.Second {
		t.Errorf("environment over file: commit_interval = %s", c.Export.CommitInterval)
	}
	if c.Export.PartBytes != 1<<20 || c.NATS.AckWait != 2*time.Second {
		t.Errorf("file over default: %s, %s", c.Export.PartBytes, c.NATS.AckWait)
	}
	if c.Log.Level != "info" {
		t.Errorf("an empty variable counts as unset: log.level = %q", c.Log.Level)
	}
}

func TestLoadResolvesHome(t *testing.T) {
	home := t.TempDir()
	c := load(t, Options{Env: []string{"TEXTMILL_HOME=" + home}, Set: []string{"nats.embedded.dir=<home>/queue"}})
	for got, want := range map[string]string{
		c.Export.URI: "tables", c.NATS.Embedded.Dir: "queue", c.Export.Scratch: "scratch",
	} {
		if got != filepath.Join(home, want) {
			t.Errorf("%s resolved to %s", want, got)
		}
	}
	t.Setenv("XDG_CACHE_HOME", home)
	if c := load(t, Options{}); c.Home != filepath.Join(home, "textmill") {
		t.Errorf("default home = %s", c.Home)
	}
	t.Chdir(home)
	if c := load(t, Options{Set: []string{"export.uri=out"}}); c.Export.URI != filepath.Join(home, "out") {
		t.Errorf("relative path became %s", c.Export.URI)
	}
}

func TestLoadModelVariables(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(places.Model(home, "all-MiniLM-L6-v2"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := load(t, Options{
		Path: write(t, "models:\n  own_Model: {device: cpu, threads: 1}\n"),
		Env: []string{
			"TEXTMILL_HOME=" + home, "TEXTMILL_MODELS_ALL_MINILM_L6_V2_BATCH_TOKENS=512",
			"TEXTMILL_MODELS_OWN_MODEL_THREADS=2", "TEXTMILL_MODELS_OWN_MODEL_PATH=<home>/x",
		},
		Set: []string{"models.own_Model.threads=3", "models.other.onnx_file=onnx/model.onnx"},
	})
	if got := c.Models["all-MiniLM-L6-v2"].BatchTokens; got != 512 {
		t.Errorf("variable of a cached model: batch_tokens = %d", got)
	}
	if got, want := c.Models["own_Model"], (Model{Device: "cpu", Threads: 3, Path: filepath.Join(home, "x")}); got != want {
		t.Errorf("models.own_Model = %+v, want %+v", got, want)
	}
	if got := c.Models["other"].ONNXFile; got != "onnx/model.onnx" {
		t.Errorf("models.other.onnx_file = %q", got)
	}
	if _, err := Load(Options{Env: []string{"TEXTMILL_MODELS_NOBODY_THREADS=1"}}); err == nil {
		t.Error("a variable of an unknown model was taken")
	}
}

func TestLoadReportsEveryProblem(t *testing.T) {
	file := write(t, strings.Join([]string{
		"drain_timeout: soon",           // 1
		"exprot: {uri: /x}",             // 2
		"nats:",                         // 3
		"  ackwait: 30s",                // 4
		"  url: [a]",                    // 5
		"input: {roots: /data}",         // 6
		"log: {level: loud}",            // 7
		"drain_timeout: 1s",             // 8
		"models: {m: {thread: 1}}",      // 9
		"runtime: {threads: 1.5}",       // 10
		"limits: {record_bytes: 1.5XB}", // 11
	}, "\n"))
	_, err := Load(Options{
		Path: file,
		Env:  []string{"TEXTMILL_EXPORT_URL=x", "TEXTMILL_HTTP_ADDR=nowhere"},
		Set:  []string{"export.uri", "http.port=1"},
	})
	var all *Error
	if !errors.As(err, &all) {
		t.Fatalf("Load gave %v", err)
	}
	for _, want := range []string{
		`:1: drain_timeout: "soon" is not a duration such as 30s or 720h`,
		`:2: exprot: unknown key "exprot"; did you mean "export"?`,
		`:4: nats.ackwait: unknown key "ackwait"; did you mean "ack_wait"?`,
		`:5: nats.url: is a list where a single value belongs`,
		`:6: input.roots: is a single value where a list belongs`,
		`log.level: "loud" is not one of debug, info, warn, error`,
		`:8: drain_timeout: stands twice, first on line 1`,
		`:9: models.m.thread: unknown key "thread"; did you mean "threads"?`,
		`:10: runtime.threads: "1.5" is not a whole number`,
		`:11: limits.record_bytes: "1.5XB" is not a size such as 128MiB`,
		`environment: unknown variable TEXTMILL_EXPORT_URL; did you mean TEXTMILL_EXPORT_URI?`,
		`--set: export.uri: has no = between key and value`,
		`--set: http.port: unknown key "http.port"`,
		`http.addr: "nowhere" is not host:port`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	if len(all.Problems) != 14 {
		t.Errorf("%d problems, want 14:\n%v", len(all.Problems), err)
	}
}

func TestLoadRefusesBrokenFiles(t *testing.T) {
	for name, text := range map[string]string{
		"not YAML":      "a: [",
		"two documents": "home: /a\n---\nhome: /b\n",
		"a list":        "- home\n",
		"a merge key":   "log: &l {level: info}\nhttp:\n  <<: *l\n",
		"a NUL byte":    "home: \"a\"\x00",
	} {
		if _, err := Load(Options{Path: write(t, text)}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := Load(Options{Path: filepath.Join(t.TempDir(), "absent.yaml")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	load(t, Options{Path: write(t, "")})
	load(t, Options{Path: write(t, "# nothing\nnats:\nlog: {level: }\n")})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("nats: {url: nats://h:1, tls: {ca_file: x}}\nmodels: {a: {threads: 2}}\ninput: {roots: [/a, b]}"))
	f.Add([]byte("a: &x [*x]\nhome: *x"))
	f.Add([]byte("? {a: b}\n: 1"))
	f.Add([]byte("export: {part_bytes: 1e400MiB, remember: -9223372036854775809ns}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		var p problems
		decodeYAML(&c, "fuzz", data, &p)
		c.validate(&p)
		if err := p.err(); err != nil && err.Error() == "" {
			t.Error("a problem without words")
		}
		if c.String() == "" {
			t.Error("a config without settings")
		}
	})
}
