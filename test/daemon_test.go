package test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// daemon is a running `textmill daemon` with its own queue and tables.
type daemon struct {
	t        testing.TB
	home     string
	cmd      *exec.Cmd
	nats     string // what clients dial
	http     string
	mu       sync.Mutex
	log      strings.Builder
	grew     *sync.Cond    // the log did, or it has ended
	finished chan struct{} // its log has ended
}

// startDaemon returns when the daemon is ready. Ports are the kernel's choice. What a killed daemon held comes again soon.
func startDaemon(t testing.TB, home string, env ...string) *daemon {
	t.Helper()
	return startCommand(t, home, call{home: home, env: daemonEnv(env...)}.command(t, t.Context(), "daemon"))
}

func daemonEnv(more ...string) []string {
	return append([]string{
		"TEXTMILL_NATS_EMBEDDED_ADDR=127.0.0.1:0", "TEXTMILL_HTTP_ADDR=127.0.0.1:0", "TEXTMILL_LOG_FORMAT=json",
		"TEXTMILL_EXPORT_COMMIT_INTERVAL=200ms", "TEXTMILL_MODELS_ALL_MINILM_L6_V2_BATCH_TOKENS=1024", "TEXTMILL_NATS_ACK_WAIT=3s",
	}, more...)
}

// startCommand returns when the daemon that the command starts is ready.
func startCommand(t testing.TB, home string, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{t: t, home: home, cmd: cmd, finished: make(chan struct{})}
	d.grew = sync.NewCond(&d.mu)
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go d.follow(stderr, ready)
	t.Cleanup(func() { d.kill() })
	select {
	case <-ready:
	case <-d.finished:
		t.Fatalf("the daemon ended before it was ready:\n%s", d.text())
	}
	return d
}

// follow reads the log and finds the addresses in it.
func (d *daemon) follow(stderr io.Reader, ready chan struct{}) {
	defer func() {
		d.mu.Lock()
		close(d.finished)
		d.mu.Unlock()
		d.grew.Broadcast()
	}()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var r struct {
			Msg  string `json:"msg"`
			NATS string `json:"nats"`
			HTTP string `json:"http"`
		}
		d.mu.Lock()
		d.log.Write(append(lines.Bytes(), '\n'))
		d.mu.Unlock()
		d.grew.Broadcast()
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Msg == "textmill is ready" {
			d.nats, d.http = r.NATS, r.HTTP
			close(ready)
		}
	}
}

func (d *daemon) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// wait returns the exit code once the process has ended.
func (d *daemon) wait() int {
	<-d.finished
	_ = d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

func (d *daemon) signal(s os.Signal) {
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // an error says that it has ended
	<-d.finished
	_ = d.cmd.Wait()
}

// client is a call of the other commands against this daemon.
func (d *daemon) client() call {
	return call{home: d.home, env: []string{"TEXTMILL_NATS_URL=" + d.nats}}
}

func (d *daemon) table(dataset string) string { return filepath.Join(d.home, "tables", dataset) }

// deltaRows is what delta-rs reads of a table.
const deltaRows = `
import json, sys
from deltalake import DeltaTable
cols = ["record_id", "text", "error", "n_tokens", "truncated", "attributes", "model_sha256", "job"]
for r in DeltaTable(sys.argv[1]).to_pyarrow_table(columns=cols).to_pylist():
    r["attributes"] = dict(r["attributes"] or [])
    print(json.dumps(r))
`

type row struct {
	ID         string            `json:"record_id"`
	Text       string            `json:"text"`
	Error      string            `json:"error"`
	NTokens    int               `json:"n_tokens"`
	Truncated  bool              `json:"truncated"`
	Attributes map[string]string `json:"attributes"`
	SHA256     string            `json:"model_sha256"`
	Job        string            `json:"job"`
}

// rows reads a table with delta-rs, by record id; a record that is there twice fails the test. Of a repeated id in a
// shard the first row counts.
func rows(t testing.TB, dir string) map[string]row {
	t.Helper()
	all := map[string]row{}
	for _, r := range lines[row](t, foreign.Python(t, deltaRows, dir)) {
		if strings.HasPrefix(r.Error, "duplicate_id: ") {
			continue
		}
		if _, twice := all[r.ID]; twice {
			t.Errorf("record %s is in the table twice", r.ID)
		}
		all[r.ID] = r
	}
	return all
}

type status struct {
	Job        string `json:"job"`
	State      string `json:"state"`
	Task       string `json:"task"`
	Model      string `json:"model"`
	Dataset    string `json:"dataset"`
	Shards     int    `json:"shards"`
	ShardsDone int    `json:"shards_done"`
	Rows       int    `json:"rows"`
	Errors     int    `json:"errors"`
	Truncated  int    `json:"truncated"`
	Dropped    int    `json:"n_dropped"`
	Dead       int    `json:"dead"`
	ETA        *int   `json:"eta_s"`
}

func TestFromSubmitToTable(t *testing.T) {
	d := startDaemon(t, newHome(t))
	file := filepath.Join(t.TempDir(), "corpus.jsonl")
	err := os.WriteFile(file, []byte(strings.Join([]string{
		`{"id":"a","text":"read a file line by line","attributes":{"lang":"en"}}`,
		`{"id":"b","text":` + quoted(strings.Repeat("long ", 600)) + `}`,
		`{"id":"c","text":"half a pair \ud800"}`,
		`{"id":"a","text":"the same id again"}`,
		`{"text":"no id","n":5}`,
	}, "\n")), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	r := d.client().ok(t, "submit", "--model", model, "--dataset", "docs", "--job", "first", file)
	if r.stdout != "first\n" {
		t.Errorf("submit printed %q, want the job alone", r.stdout)
	}
	got := rows(t, d.table("docs"))
	if len(got) != 4 || got["a"].Attributes["lang"] != "en" || !got["b"].Truncated || got["b"].NTokens != 256 {
		t.Errorf("rows: %+v", got)
	}
	if !strings.HasPrefix(got["c"].Error, "bad_utf8: ") || got["a"].Job != "first" || len(got["a"].SHA256) != 64 {
		t.Errorf("rows: %+v", got)
	}
	again := d.client().ok(t, "submit", "--model", model, "--dataset", "docs", "--job", "first", file)
	if again.stdout != "first\n" || len(rows(t, d.table("docs"))) != 4 {
		t.Error("a repeated submit changed the table")
	}
	var s status
	if err := json.Unmarshal([]byte(d.client().ok(t, "status", "first", "--json").stdout), &s); err != nil {
		t.Fatal(err)
	}
	if s.State != "done" || s.Shards != 1 || s.ShardsDone != 1 || s.Rows != 5 {
		t.Errorf("status: %+v", s)
	}
	if r := d.client().run(t, "status", "no-such-job"); r.code != 1 || !strings.Contains(r.stderr, "no-such-job") {
		t.Errorf("status of no job: exit %d, %s", r.code, r.stderr)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestDaemonPages asks the daemon's address as a supervisor and a scraper would.
func TestDaemonPages(t *testing.T) {
	home := newHome(t)
	token := filepath.Join(home, "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, home, "TEXTMILL_HTTP_TOKEN_FILE="+token)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 401} {
		if code, _ := get(t, d.http+path, ""); code != want {
			t.Errorf("GET %s: %d, want %d", path, code, want)
		}
	}
	code, body := get(t, d.http+"/metrics", "s3cret")
	if code != 200 || !strings.Contains(body, "textmill_") {
		t.Errorf("GET /metrics with the token: %d %.200s", code, body)
	}
	if strings.Contains(d.text(), "s3cret") {
		t.Error("the token is in the log")
	}
}

func get(t testing.TB, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// waitUntil polls for what another process does; the test's own deadline ends it.
func waitUntil(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited two minutes until %s", what)
		}
	}
}

func logEntries(table string) []string {
	entries, err := filepath.Glob(filepath.Join(table, "_delta_log", "*.json"))
	if err != nil {
		return nil
	}
	return entries
}
