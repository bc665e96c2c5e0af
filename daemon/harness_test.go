package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"textmill/config"
	"textmill/ground/places"
	"textmill/internal/foreign"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const model = "all-MiniLM-L6-v2"

// testConfig is a daemon's configuration on kernel-chosen ports, with its
// store and tables in the test's own directory.
func testConfig(t *testing.T) config.Config {
	t.Helper()
	cfg, err := config.Load(config.Options{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(places.Model(cfg.Home, model)); err != nil {
		t.Fatalf("the model is missing: run textmill setup (%v)", err)
	}
	dir := t.TempDir()
	cfg.HTTP.Addr, cfg.NATS.Embedded.Addr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.NATS.Embedded.Dir, cfg.Export.URI = filepath.Join(dir, "nats"), filepath.Join(dir, "tables")
	cfg.Export.CommitInterval = 100 * time.Millisecond
	cfg.NATS.AckWait = 5 * time.Second
	cfg.Models = map[string]config.Model{model: {BatchTokens: 1024}}
	return cfg
}

// running is a daemon at work, and a connection to its queue.
type running struct {
	t      *testing.T
	daemon *Daemon
	queue  *queue.Queue
	events chan jobs.Event
	stop   context.CancelFunc
	ended  chan error
	log    *bytes.Buffer
	told   told // what the log says, and would say of details
}

// told hands on what a log says as it says it.
type told struct {
	slog.Handler
	logged chan saying
	lost   *atomic.Int64 // sayings beyond those that are kept
}

// saying is a message of a log, and the job that it names.
type saying struct{ message, job string }

func (h told) Enabled(context.Context, slog.Level) bool { return true }

func (h told) Handle(ctx context.Context, record slog.Record) error {
	var err error
	if h.Handler.Enabled(ctx, record.Level) {
		err = h.Handler.Handle(ctx, record)
	}
	says := saying{message: record.Message}
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "job" {
			says.job = a.Value.String()
		}
		return true
	})
	select {
	case h.logged <- says:
	default:
		h.lost.Add(1)
	}
	return err
}

func (h told) WithAttrs(attrs []slog.Attr) slog.Handler {
	return told{h.Handler.WithAttrs(attrs), h.logged, h.lost}
}

func (h told) WithGroup(name string) slog.Handler {
	return told{h.Handler.WithGroup(name), h.logged, h.lost}
}

// awaitLogged waits until the log has said a message of each of these jobs; "" = of none.
func (r *running) awaitLogged(message string, jobs ...string) {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for len(jobs) > 0 {
		select {
		case said := <-r.told.logged:
			if at := slices.Index(jobs, said.job); said.message == message && at >= 0 {
				jobs = slices.Delete(jobs, at, at+1)
			}
		case <-deadline:
			r.t.Fatalf("the log does not say %q of %q, or in the %d messages that were not kept", message, jobs, r.told.lost.Load())
		}
	}
}

// tokenFile holds a token as people write it, with a line's end.
func tokenFile(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, cfg config.Config) *running {
	t.Helper()
	return startChanged(t, cfg, func(*Daemon) {})
}

// startChanged changes a daemon before it runs.
func startChanged(t *testing.T, cfg config.Config, change func(*Daemon)) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, stop: stop, ended: make(chan error, 1), events: make(chan jobs.Event, 10_000), log: &bytes.Buffer{},
		told: told{logged: make(chan saying, 10_000), lost: &atomic.Int64{}}}
	r.told.Handler = slog.NewTextHandler(r.log, nil)
	log := slog.New(r.told)
	var err error
	if r.daemon, err = New(ctx, cfg, log, "test"); err != nil {
		t.Fatal(err)
	}
	change(r.daemon)
	go func() { r.ended <- r.daemon.Run(ctx) }()
	if r.queue, err = queue.Connect(ctx, queue.Options{URL: r.daemon.NATSURL(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	tracker, err := r.queue.Track(ctx, queue.TrackOptions{OnEvent: func(e jobs.Event) { r.events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tracker.Close()
		r.queue.Close()
		r.drain()
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", r.log)
		}
	})
	return r
}

// drain stops the daemon as SIGTERM does and waits for its end.
func (r *running) drain() {
	r.stop()
	if err := <-r.ended; err != nil && !errors.Is(err, context.Canceled) {
		r.t.Errorf("the daemon ended with %v", err)
	}
	r.ended <- nil
}

func (r *running) publish(subject string, header jobs.Header, data string) {
	r.t.Helper()
	err := r.queue.PublishJob(r.t.Context(), queue.JobMessage{Subject: subject, Header: header, Data: []byte(data)})
	if err == nil {
		err = r.queue.Flush(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// await returns the next event of a type.
func (r *running) await(kind string) jobs.Event {
	r.t.Helper()
	return r.awaitAll(kind)[0]
}

// awaitAll returns the next events of some types, in the order in which they come.
func (r *running) awaitAll(kinds ...string) (came []jobs.Event) {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for len(kinds) > 0 {
		select {
		case e := <-r.events:
			if i := slices.Index(kinds, e.Type); i >= 0 {
				came, kinds = append(came, e), slices.Delete(kinds, i, i+1)
			}
		case <-deadline:
			r.t.Fatalf("no event %q came", kinds)
		}
	}
	return came
}

// letters are the ids of the dead letters, of which so many are there.
func (r *running) letters(want int) (ids []string) {
	r.t.Helper()
	err := r.queue.ListDead(r.t.Context(), func(e queue.DeadEntry) bool { ids = append(ids, e.ID); return true })
	if err != nil || len(ids) != want {
		r.t.Fatalf("%d letters, want %d (%v)", len(ids), want, err)
	}
	return ids
}

// readTable reads a dataset's rows with delta-rs, in the order of record_id.
func readTable(t *testing.T, cfg config.Config, dataset string) []map[string]any {
	t.Helper()
	const script = `
import json, sys, deltalake
rows = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table().to_pylist()
print(json.dumps(sorted(rows, key=lambda r: r["record_id"]), default=str))
`
	out := foreign.Python(t, script, filepath.Join(cfg.Export.URI, dataset))
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// forgetEvents takes the stored events away from a daemon that does not run, as time does.
func forgetEvents(t *testing.T, cfg config.Config) {
	t.Helper()
	var found []string
	err := filepath.WalkDir(cfg.NATS.Embedded.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == queue.EventStream {
			found = append(found, path)
			return fs.SkipDir
		}
		return err
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("the stream of events lies at %v, %v", found, err)
	}
	if err := os.RemoveAll(found[0]); err != nil {
		t.Fatal(err)
	}
}
