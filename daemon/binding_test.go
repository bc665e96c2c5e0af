package daemon

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"textmill/config"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// queueOfItsOwn is the configuration of a daemon whose queue outlives it.
func queueOfItsOwn(t *testing.T) config.Config {
	t.Helper()
	cfg := testConfig(t)
	s, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: cfg.NATS.Embedded.Dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg.NATS.URL = s.URL()
	return cfg
}

// begins is how far a daemon comes that has its tables there.
func begins(t *testing.T, cfg config.Config, uri string) error {
	t.Helper()
	cfg.Export.URI = uri
	d := newDaemon(cfg, slog.New(slog.DiscardHandler), "test")
	err := d.openTables(t.Context(), 0)
	if closed := d.close(); closed != nil {
		t.Error(closed)
	}
	return err
}

// bystander is connected to the queue, and no daemon.
func bystander(t *testing.T, cfg config.Config) *queue.Queue {
	t.Helper()
	q, err := queue.Connect(t.Context(), queue.Options{URL: cfg.NATS.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func TestAQueueHasOnePlaceOfTables(t *testing.T) {
	cfg := queueOfItsOwn(t)
	dir := t.TempDir()
	place := func(name string) string { return filepath.Join(dir, name) }
	if err := os.MkdirAll(filepath.Join(place("a"), "docs", "_delta_log"), 0o750); err != nil { // tables of before there were bindings
		t.Fatal(err)
	}
	if err := errors.Join(begins(t, cfg, place("a")), begins(t, cfg, "file://"+place("a")), os.Symlink(place("a"), place("mounted elsewhere")),
		begins(t, cfg, place("mounted elsewhere"))); err != nil {
		t.Fatal(err)
	}
	refused := func(uri string, says ...string) {
		t.Helper()
		err := begins(t, cfg, uri)
		if !errors.Is(err, ErrOtherTables) {
			t.Errorf("%s: %v", uri, err)
			return
		}
		for _, want := range append(says, place("a"), uri, "--bind-tables") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	}
	refused(place("b"), "not mounted")
	if err := errors.Join(os.Rename(place("a"), place("moved")), begins(t, cfg, place("moved"))); err != nil {
		t.Error(err)
	}
	refused(place("a"), "not mounted")

	cfg.Export.URI = place("b")
	if said, err := BindTables(t.Context(), cfg, slog.New(slog.DiscardHandler), "test"); err != nil || !strings.Contains(said, place("b")) {
		t.Fatalf("%q, %v", said, err)
	}
	if err := begins(t, cfg, place("b")); err != nil {
		t.Error(err)
	}
	if err := begins(t, cfg, place("moved")); !errors.Is(err, ErrOtherTables) || !strings.Contains(err.Error(), "another place") {
		t.Errorf("the tables of before: %v", err)
	}
}

// TestRacingBindings has daemons with other tables each begin at the same time on a queue that is bound to none.
func TestRacingBindings(t *testing.T) {
	cfg := queueOfItsOwn(t)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		uri := filepath.Join(t.TempDir(), "tables")
		all.Go(func() { errs[i] = begins(t, cfg, uri) })
	}
	all.Wait()
	begun := 0
	for _, err := range errs {
		if err == nil {
			begun++
		} else if !errors.Is(err, ErrOtherTables) {
			t.Error(err)
		}
	}
	if begun != 1 {
		t.Errorf("%d daemons begin: %v", begun, errs)
	}
}

// A daemon that began before the queue was bound anew, and is seen only afterwards, does not serve the tables of before.
func TestADaemonThatBeginsMeanwhileIsNotLeftBehind(t *testing.T) {
	cfg := queueOfItsOwn(t)
	d := newDaemon(cfg, slog.New(slog.DiscardHandler), "test")
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(d.openTables(t.Context(), 0), d.stillBound(t.Context())); err != nil {
		t.Fatal(err)
	}
	other := cfg
	other.Export.URI = filepath.Join(t.TempDir(), "tables")
	if _, err := BindTables(t.Context(), other, slog.New(slog.DiscardHandler), "test"); err != nil {
		t.Fatal(err)
	}
	if err := d.stillBound(t.Context()); !errors.Is(err, ErrOtherTables) {
		t.Error(err)
	}
}

// A binding that cannot be read is told, and replaced by the command that binds.
func TestADamagedBindingIsReplaced(t *testing.T) {
	cfg := queueOfItsOwn(t)
	if err := begins(t, cfg, cfg.Export.URI); err != nil {
		t.Fatal(err)
	}
	q := bystander(t, cfg)
	b, err := q.Binding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.ID = ""
	if err := q.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := begins(t, cfg, cfg.Export.URI); err == nil || !strings.Contains(err.Error(), "is no binding") {
		t.Errorf("it begins with a damaged binding: %v", err)
	}
	if _, err := BindTables(t.Context(), cfg, slog.New(slog.DiscardHandler), "test"); err != nil {
		t.Error(err)
	}
	if err := begins(t, cfg, cfg.Export.URI); err != nil {
		t.Error(err)
	}
}

func TestTablesAreNotBoundWhileDaemonsServe(t *testing.T) {
	cfg := queueOfItsOwn(t)
	if err := begins(t, cfg, cfg.Export.URI); err != nil {
		t.Fatal(err)
	}
	q := bystander(t, cfg)
	if _, err := q.Announce(func() []queue.Served { return []queue.Served{{Task: "embed", Model: model}} }); err != nil {
		t.Fatal(err)
	}
	if _, err := q.ServingUntil(t.Context(), answerTime, func(queue.Served) bool { return true }); err != nil { // so that the server knows who announces
		t.Fatal(err)
	}
	other := cfg
	other.Export.URI = filepath.Join(t.TempDir(), "tables")
	if _, err := BindTables(t.Context(), other, slog.New(slog.DiscardHandler), "test"); !errors.Is(err, ErrServed) {
		t.Error(err)
	}
	if err := begins(t, cfg, cfg.Export.URI); err != nil {
		t.Errorf("it is bound elsewhere: %v", err)
	}
}
