package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"textmill/config"
	"textmill/export"
	"textmill/ground/places"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

const model = "all-MiniLM-L6-v2"

// machineOf is a configuration whose places are the test's own, with one model.
func machineOf(t *testing.T, set ...string) config.Config {
	t.Helper()
	cfg, err := config.Load(config.Options{Env: os.Environ(), Set: append([]string{"data=" + t.TempDir(), "runtime.device=cpu",
		"http.addr=127.0.0.1:0", "nats.embedded.addr=127.0.0.1:0", "models." + model + ".batch_tokens=1024"}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// told is what a report says of a check, a line each.
func told(r Report, check string) string {
	var lines []string
	for _, f := range r.Findings {
		if f.Check == check {
			lines = append(lines, f.Status+" "+f.Says+" → "+f.Mend)
		}
	}
	return strings.Join(lines, "\n")
}

func TestAMachineThatWorks(t *testing.T) {
	r := Examine(t.Context(), Options{Config: machineOf(t), Version: "v1"})
	if !r.OK {
		t.Errorf("it does not: %+v", r.Findings)
	}
	for check, want := range map[string]string{
		"library": "ONNX Runtime ", "processor": "instruction sets", "card": "none is asked for", "models": "model_sha256",
		"nats": "syncs each message", "store": "hard links", "ports": "is free", "disk": "GiB free", "permissions": "can be written",
		"limits": "files may be open",
	} {
		if !strings.Contains(told(r, check), want) {
			t.Errorf("%s: %q does not say %q", check, told(r, check), want)
		}
	}
	var answer, text bytes.Buffer
	if err := r.Write(&answer, true); err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(answer.Bytes(), &again); err != nil || !slices.Equal(again.Findings, r.Findings) {
		t.Errorf("as JSON it is another report: %v", err)
	}
	if err := r.Write(&text, false); err != nil || strings.Count(text.String(), "\n") < len(r.Findings) {
		t.Errorf("%v: %s", err, &text)
	}
}

func TestWhatIsWrongIsNamedWithWhatMendsIt(t *testing.T) {
	home := machineOf(t).Home
	occupied, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() })
	go func() { // somebody who is no daemon
		_ = http.Serve(occupied, http.NotFoundHandler()) //nolint:gosec // ends with the listener
	}()
	damaged := filepath.Join(t.TempDir(), model)
	linkBundle(t, places.Model(home, model), damaged)
	file := filepath.Join(t.TempDir(), "file")
	open := filepath.Join(t.TempDir(), "token")
	for path, mode := range map[string]os.FileMode{file: 0o600, open: 0o644} {
		if err := os.WriteFile(path, []byte("planted-secret"), mode); err != nil {
			t.Fatal(err)
		}
	}
	nobody := "nats://" + freed(t)
	for name, test := range map[string]struct{ set, check, status, says, mend string }{
		"library":       {"runtime.library=" + file, "library", Fail, "ONNX Runtime does not load", "textmill setup"},
		"models":        {"models." + model + ".path=" + damaged, "models", Fail, "config.json", "textmill setup"},
		"no model":      {"models.missing.batch_tokens=8", "models", Fail, "missing", "textmill models pull"},
		"port":          {"http.addr=" + occupied.Addr().String(), "ports", Fail, "address already in use", "http.addr=127.0.0.1:0"},
		"nats":          {"nats.url=" + nobody, "nats", Fail, "no answer within", "nats.url"},
		"store":         {"export.uri=" + file + "/tables", "store", Fail, "export.uri", "local disk"},
		"permission":    {"http.token_file=" + open, "permissions", Warn, "others may read", "chmod 600"},
		"no hard links": {"export.uri=/proc/self/fd/tables", "store", Fail, "export.uri", "bucket"},
		"threads":       {"runtime.threads=4096", "processor", Warn, "runtime.threads is 4096", "runtime.threads: 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Examine(t.Context(), Options{Config: machineOf(t, test.set), Version: "v1"})
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Check == test.check && f.Status == test.status })
			if i < 0 {
				t.Fatalf("nothing is %s: %+v", test.status, r.Findings)
			}
			for _, f := range r.Findings {
				if f.Status != OK && f.Mend == "" {
					t.Errorf("nothing mends %+v", f)
				}
			}
			if f := r.Findings[i]; !strings.Contains(f.Says, test.says) || !strings.Contains(f.Mend, test.mend) {
				t.Errorf("%+v", f)
			}
			if r.OK != (test.status != Fail) {
				t.Errorf("ok is %v", r.OK)
			}
		})
	}
	if _, err := config.Load(config.Options{Set: []string{"log.level=loud", "export.uri="}}); err == nil {
		t.Fatal("no error")
	} else if r := Examine(t.Context(), Options{Broken: err}); r.OK || !strings.Contains(told(r, "configuration"), "log.level") || !strings.Contains(told(r, "configuration"), "export.uri") {
		t.Errorf("%+v", r)
	}
}

func TestTablesOfAFileURI(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "all tables")
	r := Examine(t.Context(), Options{Config: machineOf(t, "export.uri=file://localhost"+strings.ReplaceAll(dir, " ", "%20"))})
	if said := told(r, "store"); !r.OK || !strings.Contains(said, "a file of tables is durable") {
		t.Errorf("%v: %s", r.OK, said)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left there: %v", left, err)
	}
}

// What cannot be brought about on every machine: what is said of it.
func TestWhatMends(t *testing.T) {
	for _, test := range []struct {
		err  error
		dir  string
		want string
	}{
		{unix.ENOSPC, "/tables", "make room"}, {unix.EDQUOT, "/tables", "make room"}, {unix.EROFS, "/", "mount -o remount,rw the file system of /"},
		{unix.EACCES, "/", "chown $(id -un) /"}, {unix.EPERM, "/tables", "local disk"}, {unix.EOPNOTSUPP, "/tables", "local disk"},
		{io.ErrUnexpectedEOF, "", "If-None-Match"},
	} {
		if got := mendStore(fmt.Errorf("open: %w", test.err), test.dir); !strings.Contains(got, test.want) {
			t.Errorf("%v is mended by %q, want %q", test.err, got, test.want)
		}
	}
	for skew, want := range map[time.Duration]string{5 * time.Minute: "warn its clock is 5m0s ahead of this machine's → timedatectl",
		-5 * time.Minute: "warn its clock is 5m0s behind this machine's → timedatectl"} {
		x := &examined{}
		x.natsSays(queue.Examination{Skew: skew, SkewKnown: true, MaxPayload: 1 << 20}, true)
		if said := told(Report{Findings: x.findings}, "nats"); !strings.Contains(said, want) {
			t.Errorf("%s: %s", skew, said)
		}
	}
	x := &examined{}
	x.natsSays(queue.Examination{NoJetStream: queue.ErrNoJetStream}, false)
	if said := told(Report{Findings: x.findings}, "nats"); !strings.Contains(said, "FAIL the NATS server has no JetStream → nats-server -js -sd DIR") {
		t.Errorf("without JetStream: %s", said)
	}
}

func TestTablesOfAnotherQueue(t *testing.T) {
	x := &examined{bound: &queue.Binding{ID: "0123456789abcdef", URI: "/theirs", Host: "h"}}
	tables, err := export.OpenStore(export.Options{URI: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	if x.belongs(tables); !strings.Contains(told(Report{Findings: x.findings}, "store"), `FAIL the queue belongs to the tables that were at "/theirs"`) {
		t.Errorf("%+v", x.findings)
	}
	x.findings = nil
	if x.bound.ID, err = tables.Identify(); err != nil {
		t.Fatal(err)
	}
	if x.belongs(tables); !strings.Contains(told(Report{Findings: x.findings}, "store"), "ok the queue belongs to these tables") {
		t.Errorf("%+v", x.findings)
	}
}

func TestAServerThatAnswers(t *testing.T) {
	s, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := Examine(t.Context(), Options{Config: machineOf(t, "nats.url="+s.URL())})
	if said := told(r, "nats"); !r.OK || !strings.Contains(said, "a daemon will make TEXTMILL_JOBS") || !strings.Contains(said, "sync_interval: always") {
		t.Errorf("%v: %s", r.OK, said)
	}
}

// TestBundleHoldsNoSecrets plants secrets wherever there may be one, and a daemon that repeats them, and looks for them in all files.
func TestBundleHoldsNoSecrets(t *testing.T) {
	dir := t.TempDir()
	secrets := map[string]string{"token": "planted-token-\"1\"", "hub": "planted-hub-2", "seed": "SUAPLANTEDSEED3", "aws": "planted/aws+4",
		"url": "planted-url-5", "user": "plantedname6", "otel": "planted-otel-7", "key": "PLANTEDPRIVATEKEY8"}
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", secrets["aws"])
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization="+secrets["otel"])
	t.Setenv("HF_TOKEN", secrets["hub"])
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz":
			_, _ = io.WriteString(w, "ok\n")
		case r.Header.Get("Authorization") != "Bearer "+secrets["token"]:
			w.WriteHeader(http.StatusUnauthorized)
		default: // one that tells everything
			_ = json.NewEncoder(w).Encode(secrets)
			_, _ = io.WriteString(w, "nats://me:"+secrets["url"]+"@host Authorization: Bearer abc.def\n")
			_, _ = io.WriteString(w, "textmill_ready 1\n")
		}
	}))
	defer daemon.Close()
	cfg := machineOf(t, "http.addr="+daemon.Listener.Addr().String(), "http.token_file="+write("t", secrets["token"]+"\n"),
		"nats.url=nats://"+secrets["user"]+":"+secrets["url"]+"@"+freed(t), "nats.nkey_file="+write("n", secrets["seed"]+"\n"),
		"nats.tls.cert_file="+write("c", "-----BEGIN CERTIFICATE-----\n"), "nats.tls.key_file="+write("k", "-----BEGIN PRIVATE KEY-----\n"+secrets["key"]+"\n-----END PRIVATE KEY-----\n"))
	o := Options{Config: cfg, Version: "v1"}
	report := Report{Findings: []Finding{{Check: "nats", Status: Fail, Says: "it said " + secrets["seed"] + " and " + secrets["hub"]}}}
	file := filepath.Join(dir, "report.zip")
	if err := Bundle(t.Context(), o, report, file); err != nil {
		t.Fatal(err)
	}
	files := unzipped(t, file)
	for _, name := range []string{"README.txt", "report.txt", "report.json", "config.txt", "environment.txt", "machine.txt", "daemon/status.json", "daemon/metrics.txt"} {
		if files["report/"+name] == "" {
			t.Errorf("%s is not in it: %d files", name, len(files))
		}
	}
	for name, text := range files {
		for what, secret := range secrets {
			quoted, _ := json.Marshal(secret)
			if strings.Contains(text, secret) || strings.Contains(text, string(quoted[1:len(quoted)-1])) {
				t.Errorf("%s holds the secret %s:\n%.500s", name, what, text)
			}
		}
		if strings.Contains(text, "abc.def") {
			t.Errorf("%s holds a bearer token", name)
		}
	}
	for name, want := range map[string]string{"config.txt": "nats.ack_wait: 30s", "environment.txt": "AWS_SECRET_ACCESS_KEY is set",
		"machine.txt": "textmill: v1", "daemon/metrics.txt": "textmill_ready 1", "report.txt": "it said [redacted]"} {
		if !strings.Contains(files["report/"+name], want) {
			t.Errorf("%s does not say %q:\n%.500s", name, want, files["report/"+name])
		}
	}
	if err := Bundle(t.Context(), o, report, file); err == nil {
		t.Error("another archive is written over")
	}
}

func unzipped(t *testing.T, file string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := map[string]string{}
	for _, f := range r.File {
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(data)
	}
	return files
}

// linkBundle makes a bundle of links to another's files, but for its config.json, which is changed.
func linkBundle(t *testing.T, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	err = errors.Join(err, os.Mkdir(to, 0o700))
	for _, f := range files {
		if f.Name() != "config.json" {
			err = errors.Join(err, os.Symlink(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())))
		}
	}
	data, cannot := os.ReadFile(filepath.Join(from, "config.json"))
	err = errors.Join(err, cannot, os.WriteFile(filepath.Join(to, "config.json"), append(data, '\n'), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// freed is an address at which nobody listens.
func freed(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
