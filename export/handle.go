package export

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/part"
	"textmill/export/storage"
)

// handle is one incarnation of a table: directories held open, and what is known of its log. A table that is deleted and
// made anew gets another handle. Fields below state are guarded by Table.mu.
type handle struct {
	dir   storage.Dir
	aux   *disk.Dir // this machine's stage: locks, unfinished files, marks
	log   *delta.Log
	id    string // in the names of our parts; we hold its lock
	lock  *disk.Lock
	names atomic.Int64

	snap    *delta.Snapshot
	ledger  *ledger
	kind    EmbeddingKind
	vectors Vectors // that the log binds the table to
	held    *held   // of a table without a binding, once it was looked at
	stale   bool    // the log moved on in a way that only reading it anew can follow
	refused error   // why textmill must not write here
	durable int64   // every entry up to this one is known to survive a power cut; -1 = unknown
}

func newID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the system has no randomness
	}
	return hex.EncodeToString(b[:])
}

// openHandle opens a table that exists; os.ErrNotExist when it does not, or has no entry yet.
func openHandle(ctx context.Context, root storage.Dir, name string) (*handle, error) {
	dir, err := root.Sub(name)
	if err != nil {
		return nil, err
	}
	h := &handle{dir: dir, durable: -1}
	h.log, err = delta.OpenLog(dir)
	if err == nil {
		err = h.load(ctx)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// makeHandle makes a table's directories where they are absent, but no entry.
func makeHandle(root storage.Dir, name string) (*handle, error) {
	dir, err := root.MakeSub(name)
	if err != nil {
		return nil, err
	}
	h := &handle{dir: dir, durable: -1, ledger: newLedger()}
	if h.log, err = delta.MakeLog(dir); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *handle) close() {
	if h.lock != nil {
		_ = h.lock.Release() // a lock file that stays is swept
	}
	if h.aux != nil {
		_ = h.aux.Close()
	}
	if h.log != nil {
		_ = h.log.Close()
	}
	_ = h.dir.Close()
}

// load reads the whole state anew.
func (h *handle) load(ctx context.Context) error {
	var l *ledger
	snap, err := h.log.Load(ctx, func() delta.Sink {
		l = newLedger()
		return delta.Sink{Txn: l.put}
	})
	if err != nil {
		return err
	}
	if h.ledger != nil {
		l.others = h.ledger.others
	}
	h.snap, h.ledger, h.stale = snap, l, false
	h.judge()
	return nil
}

// refresh brings the state up to date.
func (h *handle) refresh(ctx context.Context) error {
	if h.snap == nil {
		return h.load(ctx)
	}
	id := h.snap.Metadata.ID
	err := error(nil)
	if !h.stale {
		err = h.log.Refresh(ctx, h.snap, delta.Sink{Txn: h.ledger.put})
		h.stale = delta.IsStale(err)
	}
	if h.stale {
		if err = h.load(ctx); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
	if err != nil {
		return err
	}
	if h.snap.Metadata.ID != id {
		return fmt.Errorf("%w: table %s has id %s, had %s", ErrGone, h.dir.Path(), h.snap.Metadata.ID, id)
	}
	h.judge()
	return nil
}

// blame makes an error ErrGone when its reason is that the table is no more.
func (h *handle) blame(err error) error {
	if err == nil || errors.Is(err, ErrGone) {
		return err
	}
	if current, statErr := h.dir.Current(); statErr == nil && !current {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// judge decides from the snapshot whether and what textmill may write.
func (h *handle) judge() {
	h.refused = nil
	p, m := h.snap.Protocol, h.snap.Metadata
	refuse := func(format string, args ...any) {
		if h.refused == nil {
			h.refused = fmt.Errorf("%w: %s: %s", ErrRefused, h.dir.Path(), fmt.Sprintf(format, args...))
		}
	}
	if p.MinReaderVersion > 1 || p.MinWriterVersion > 2 {
		refuse("protocol is reader %d, writer %d; textmill writes up to reader 1, writer 2", p.MinReaderVersion, p.MinWriterVersion)
	}
	if n := len(p.ReaderFeatures) + len(p.WriterFeatures); n > 0 {
		refuse("table features are set: %v", append(p.ReaderFeatures, p.WriterFeatures...))
	}
	if f := m.Format.Provider; f != "parquet" {
		refuse("its files are %s", f)
	}
	if len(m.PartitionColumns) > 0 {
		refuse("partitioned by %v", m.PartitionColumns)
	}
	for k := range m.Configuration {
		if strings.HasPrefix(k, "delta.constraints.") || k == "delta.invariants" {
			refuse("%s is set", k)
		}
	}
	kind, err := part.KindOf(m.SchemaString)
	if err != nil {
		refuse("%v", err)
	}
	h.kind, h.vectors = kind, Vectors{}
	if bound, ok := m.Configuration[vectorsKey]; ok {
		if h.vectors, err = parseVectors(bound); err != nil {
			refuse("%v", err)
		}
	}
}

// arm takes the lock under which this process may leave files in the table.
func (h *handle) arm() error {
	if h.lock != nil && h.lock.Held() {
		return nil
	}
	aux, err := h.dir.MakeStage()
	if err != nil {
		return err
	}
	id := newID()
	lock, err := aux.Lock(id + ".lock")
	if err != nil {
		return errors.Join(err, aux.Close())
	}
	h.aux, h.id, h.lock = aux, id, lock
	return nil
}

// partName is a new name that tells whose part it is.
func (h *handle) partName() string {
	return fmt.Sprintf("textmill-%s-%d.parquet", h.id, h.names.Add(1))
}

func (h *handle) tempName() string { return fmt.Sprintf("%s-%d.tmp", h.id, h.names.Add(1)) }

// writeTemp leaves a durable file in the stage.
func (h *handle) writeTemp(data []byte) (string, error) {
	name := h.tempName()
	f, err := h.aux.Create(name)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", errors.Join(err, f.Remove())
	}
	return name, nil
}
