package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"textmill/export/delta"
)

// Table is the table of one dataset. Its methods are safe for concurrent use. Those that tell what is known of it wait
// for no file and no bucket, whatever others wait for; those that read or write the log wait for no upload of a part.
type Table struct {
	store *Store
	name  string
	path  string
	log   *slog.Logger
	users int // guarded by Store.mu

	commits sync.Mutex // one commit of this process at a time: racing with ourselves wins nothing
	opening sync.Mutex // one opens or makes the table
	work    sync.WaitGroup
	points  sync.Mutex // one checkpoint at a time is written beside commits
	tallies tallies
	whose   whose
	signs   signs

	mu sync.Mutex // guards h alone
	h  *handle    // nil: not opened, or the table does not exist
}

// now is by the clock, not by how long the process ran.
func (t *Table) now() time.Time { return t.store.o.Now().Round(0) }

// warn says that a part could not be removed.
func (t *Table) warn(err error) {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.log.Warn("a part stays until the next sweep", "error", err)
	}
}

// Path is the table's directory.
func (t *Table) Path() string { return t.path }

// current is the table as it was opened; nil where it was not.
func (t *Table) current() *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.h
}

func (t *Table) set(h *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.h = h
}

// is reports an error where a handle is no longer the table's.
func (t *Table) is(h *handle) error {
	if t.current() != h {
		return fmt.Errorf("%w: %s", ErrGone, t.path)
	}
	return nil
}

// forget drops all cached state of a table that is no more. Batches may still hold the handle: it is not closed here,
// but when the last of them is collected.
func (t *Table) forget(h *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == h {
		t.h = nil
		if s := h.own.Load(); s != nil {
			s.hush()
		}
		t.log.Warn("table was deleted or made anew", "path", t.path)
	}
}

// known opens the table unless it is open; nil where there is none.
func (t *Table) known(ctx context.Context) (*handle, error) {
	h, _, err := t.open(ctx)
	return h, err
}

// open is known, which also tells whether the log was read just now.
func (t *Table) open(ctx context.Context) (h *handle, fresh bool, err error) {
	if h := t.current(); h != nil {
		return h, false, nil
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	if h := t.current(); h != nil {
		return h, false, nil
	}
	root, err := t.store.base()
	if err != nil {
		return nil, false, err
	}
	h, err = openHandle(ctx, root, t.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("open table %s: %w", t.path, err)
	}
	t.set(h)
	return h, true, nil
}

// newest is the table as its log is now; nil where there is none.
func (t *Table) newest(ctx context.Context) (*handle, error) {
	for {
		h, fresh, err := t.open(ctx)
		if h == nil || fresh || err != nil {
			return h, err
		}
		if err = h.refresh(ctx); !errors.Is(err, ErrGone) {
			return h, err
		}
		t.forget(h)
	}
}

// Refresh brings what is known of the table up to date. A table that does not exist is no error: its Version is -1.
func (t *Table) Refresh(ctx context.Context) error {
	_, err := t.newest(ctx)
	return err
}

// Version is the newest version known; -1 when there is no table.
func (t *Table) Version() int64 {
	if h := t.current(); h != nil {
		return h.version()
	}
	return -1
}

// Keys is how many settled deliveries and ranges of them are remembered.
func (t *Table) Keys() int {
	h := t.current()
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.txns.len()
}

// Lookup says what the log, as of the last Refresh or commit, knows of a delivery. The first call reads the log, and
// one for a name that an older version settled may read parts.
func (t *Table) Lookup(ctx context.Context, k Key) (Outcome, error) {
	h, err := t.known(ctx)
	if h == nil || err != nil {
		return Absent, err
	}
	if outcome := h.look(k); outcome != unclear {
		return outcome, nil
	}
	return t.clarify(ctx, h, k)
}

// Writable is ErrRefused when textmill must not write to the table, as its log says now. A table that does not exist
// is writable.
func (t *Table) Writable(ctx context.Context) error {
	h, err := t.known(ctx)
	if err == nil && h != nil && h.refused() != nil {
		h, err = t.newest(ctx)
	}
	if h == nil || err != nil {
		return err
	}
	return h.refused()
}

// ensure opens the table for writing and makes it where it is absent.
func (t *Table) ensure(ctx context.Context, kind EmbeddingKind) (*handle, error) {
	h, err := t.newest(ctx)
	if err == nil && h == nil {
		h, err = t.makeTable(ctx, kind)
	}
	if err == nil {
		err = h.refused()
	}
	if err != nil {
		return nil, err
	}
	if err := h.arm(); err != nil {
		return nil, fmt.Errorf("open table %s for writing: %w", t.path, err)
	}
	return h, nil
}

// makeTable makes the table, unless someone else does.
func (t *Table) makeTable(ctx context.Context, kind EmbeddingKind) (*handle, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	if h := t.current(); h != nil {
		return h, nil
	}
	root, err := t.store.base()
	if err != nil {
		return nil, err
	}
	if err := t.store.isSame(root, root); err != nil { // it may have been emptied
		return nil, err
	}
	h, err := makeHandle(root, t.name)
	if err == nil {
		if err = t.create(ctx, h, kind); err != nil {
			err = errors.Join(err, h.close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make table %s: %w", t.path, err)
	}
	t.set(h)
	return h, nil
}

func (t *Table) commitInfo(operation, id string, now int64) *delta.CommitInfo {
	parameters := map[string]string{}
	if operation == "WRITE" {
		parameters["mode"] = "Append"
	}
	return &delta.CommitInfo{
		Timestamp: now, Operation: operation, OperationParameters: parameters, IsBlindAppend: operation == "WRITE",
		EngineInfo: "textmill/" + t.store.o.Version, TxnID: id,
	}
}

// Close ends one use of the table. After the last one its background work is waited for and its descriptors and its
// lock are given back; whoever needs the table then opens it anew. Batches must be committed or aborted before.
func (t *Table) Close() error {
	if !t.store.leave(t) {
		return nil
	}
	return t.close()
}

func (t *Table) close() error {
	t.work.Wait()
	h := t.current()
	if h == nil {
		return nil
	}
	t.set(nil)
	return h.close()
}
