package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/google/uuid"

	"textmill/export/delta"
	"textmill/export/part"
)

// Table is the table of one dataset. Its methods are safe for concurrent use.
type Table struct {
	store *Store
	name  string
	path  string
	log   *slog.Logger
	users int // guarded by Store.mu

	commits sync.Mutex // one commit of this process at a time: racing with ourselves wins nothing
	work    sync.WaitGroup
	mu      sync.Mutex
	h       *handle // nil: not opened, or the table does not exist
	tallies [tallyBack]*tallied
	whose   whose
}

// Path is the table's directory.
func (t *Table) Path() string { return t.path }

// Refresh brings what is known of the table up to date. A table that does not exist is no error: its Version is -1.
func (t *Table) Refresh(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refresh(ctx)
}

// refresh needs t.mu.
func (t *Table) refresh(ctx context.Context) error {
	if t.h != nil {
		err := t.h.refresh(ctx)
		if !errors.Is(err, ErrGone) {
			return err
		}
		t.forget(t.h)
	}
	root, err := t.store.base()
	if err != nil {
		return err
	}
	h, err := openHandle(ctx, root, t.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open table %s: %w", t.path, err)
	}
	t.h = h
	return nil
}

// forget drops all cached state of a table that is no more. Batches may still hold the handle: it is not closed here, but
// when the last of them is collected. It needs t.mu.
func (t *Table) forget(h *handle) {
	if t.h == h {
		t.h = nil
		t.log.Warn("table was deleted or made anew", "path", t.path)
	}
}

// Version is the newest version known; -1 when there is no table.
func (t *Table) Version() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil || t.h.snap == nil {
		return -1
	}
	return t.h.snap.Version
}

// Keys is how many settled deliveries and ranges of them are remembered.
func (t *Table) Keys() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil {
		return 0
	}
	return t.h.ledger.len()
}

// Lookup says what the log, as of the last Refresh or commit, knows of a delivery. The first call reads the log, and one for a
// name that an older version settled may read parts.
func (t *Table) Lookup(ctx context.Context, k Key) (Outcome, error) {
	outcome, err := t.lookup(ctx, k)
	if outcome == unclear {
		return t.clarify(ctx, k)
	}
	return outcome, err
}

func (t *Table) lookup(ctx context.Context, k Key) (Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil {
		if err := t.refresh(ctx); err != nil {
			return Absent, err
		}
	}
	if t.h == nil {
		return Absent, nil
	}
	return t.h.ledger.look(k), nil
}

// Writable is ErrRefused when textmill must not write to the table, as its log says now. A table that does not exist is
// writable.
func (t *Table) Writable(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil || t.h.refused != nil {
		if err := t.refresh(ctx); err != nil {
			return err
		}
	}
	if t.h == nil {
		return nil
	}
	return t.h.refused
}

// ensure opens the table for writing and makes it where it is absent.
func (t *Table) ensure(ctx context.Context, kind EmbeddingKind) (*handle, error) {
	t.commits.Lock()
	defer t.commits.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(ctx); err != nil {
		return nil, err
	}
	if t.h == nil {
		root, err := t.store.base()
		if err != nil {
			return nil, err
		}
		h, err := makeHandle(root, t.name)
		if err != nil {
			return nil, fmt.Errorf("make table %s: %w", t.path, err)
		}
		if err = t.create(ctx, h, kind); err != nil {
			h.close()
			return nil, fmt.Errorf("make table %s: %w", t.path, err)
		}
		t.h = h
	}
	if t.h.refused != nil {
		return nil, t.h.refused
	}
	if err := t.h.arm(); err != nil {
		return nil, fmt.Errorf("open table %s for writing: %w", t.path, err)
	}
	return t.h, nil
}

// create publishes version 0, unless someone else does.
func (t *Table) create(ctx context.Context, h *handle, kind EmbeddingKind) error {
	if err := h.arm(); err != nil {
		return err
	}
	now := t.store.o.Now().UnixMilli()
	id := newID()
	data, err := delta.Encode([]delta.Action{
		{CommitInfo: t.commitInfo("CREATE TABLE", id, now)},
		{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2}},
		{Metadata: metadata(uuid.NewString(), kind, now)},
	})
	if err != nil {
		return err
	}
	temp, err := h.writeTemp(data)
	if err != nil {
		return err
	}
	err = h.log.Publish(h.aux, temp, 0, id)
	if errors.Is(err, delta.ErrExists) {
		err = nil
	}
	if err = errors.Join(err, h.aux.Unlink(temp)); err != nil {
		return err
	}
	if err := h.log.Sync(); err != nil {
		return err
	}
	return h.load(ctx)
}

func metadata(id string, kind EmbeddingKind, now int64) *delta.Metadata {
	if kind == EmbeddingAny {
		kind = EmbeddingFloat32
	}
	return &delta.Metadata{
		ID:               id,
		Format:           delta.Format{Provider: "parquet", Options: map[string]string{}},
		SchemaString:     part.SchemaString(kind),
		PartitionColumns: []string{},
		Configuration:    map[string]string{},
		CreatedTime:      &now,
	}
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

// Begin starts a batch of rows whose embeddings are of a kind, making the table where it is absent. ErrSchema when the table
// holds another kind, ErrRefused when textmill must not write to it. Bind says what its vectors are.
func (t *Table) Begin(kind EmbeddingKind) (*Batch, error) {
	h, kind, err := t.begin(context.Background(), kind)
	if err != nil {
		return nil, err
	}
	return &Batch{t: t, h: h, kind: kind, keys: map[string]*delivery{}}, nil
}

func (t *Table) begin(ctx context.Context, kind EmbeddingKind) (*handle, EmbeddingKind, error) {
	h, err := t.ensure(ctx, kind)
	if err != nil {
		return nil, kind, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if kind == EmbeddingAny {
		kind = h.kind
	}
	return h, kind, h.accepts(kind)
}

// accepts reports whether rows of a kind may be written; a table that never had rows takes any.
func (h *handle) accepts(kind EmbeddingKind) error {
	if h.refused != nil {
		return h.refused
	}
	if kind != EmbeddingAny && h.kind != kind && h.snap.HasFiles {
		return fmt.Errorf("%w: %s has %s, the rows have %s", ErrSchema, h.dir.Path(), h.kind, kind)
	}
	return nil
}

// Close ends one use of the table. After the last one its background work is waited for and its descriptors and its lock are
// given back; whoever needs the table then opens it anew. Batches must be committed or aborted before.
func (t *Table) Close() error {
	if !t.store.leave(t) {
		return nil
	}
	return t.close()
}

func (t *Table) close() error {
	t.work.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h != nil {
		t.h.close()
		t.h = nil
	}
	return nil
}
