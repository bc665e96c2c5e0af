package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"textmill/export/delta"
	"textmill/export/storage"
)

// handle is one incarnation of a table: directories held open, and what is known of its log. A table that is deleted
// and made anew gets another handle.
type handle struct {
	dir storage.Dir
	log *delta.Log
	own atomic.Pointer[stage] // nil until it is armed

	folders sync.Map // of partitions, that are known to be there durably

	arming  sync.Mutex // one takes the lock
	reading sync.Mutex // one reads the log on, and nobody else changes snap, txns and terms
	holding sync.Mutex // one looks what vectors an older table holds
	syncing sync.Mutex // one makes entries durable
	listing listing

	// mu guards what follows. The one fetching goroutine of a model waits for it, so nobody holds it while waiting for a
	// file, a bucket or another lock.
	mu    sync.Mutex
	snap  *delta.Snapshot
	txns  *txnIndex
	terms terms
	held  *held // of a table without a binding, once it was looked at
	stale bool  // the log moved on in a way that only reading it anew can follow
	// durable: every entry up to this one is known to survive a power cut; -1 = unknown.
	durable int64
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
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// makeHandle makes a table's directories where they are absent, but no entry: load is still to be called.
func makeHandle(root storage.Dir, name string) (*handle, error) {
	dir, err := root.MakeSub(name)
	if err != nil {
		return nil, err
	}
	h := &handle{dir: dir, durable: -1}
	if h.log, err = delta.MakeLog(dir); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *handle) close() error {
	var err error
	if s := h.own.Load(); s != nil {
		err = s.close()
	}
	if h.log != nil {
		err = errors.Join(err, h.log.Close())
	}
	return errors.Join(err, h.dir.Close())
}

// load reads the whole state anew. But for a handle that nobody else has yet it needs h.reading.
func (h *handle) load(ctx context.Context) error {
	var txns *txnIndex
	snap, err := h.log.Load(ctx, func() delta.Sink {
		txns = newTxnIndex()
		return delta.Sink{Txn: txns.put}
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.txns != nil {
		txns.others = h.txns.others
	}
	h.snap, h.txns, h.stale, h.terms = snap, txns, false, termsOf(h.dir.Path(), snap)
	return nil
}

// refresh brings the state up to date.
func (h *handle) refresh(ctx context.Context) error {
	h.reading.Lock()
	defer h.reading.Unlock()
	h.mu.Lock()
	id, stale, sink := h.snap.Metadata.ID, h.stale, delta.Sink{Txn: h.txns.put}
	h.mu.Unlock()
	var err error
	if !stale {
		err = h.log.Refresh(ctx, h.snap, sink, h.advance)
		stale = delta.IsStale(err)
	}
	if stale {
		if err = h.load(ctx); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
	if err != nil {
		return err
	}
	if now := h.snap.Metadata.ID; now != id {
		return fmt.Errorf("%w: table %s has id %s, had %s", ErrGone, h.dir.Path(), now, id)
	}
	return nil
}

// advance takes one more entry in.
func (h *handle) advance(take func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	take()
	h.terms = termsOf(h.dir.Path(), h.snap)
}

// look says what is known of a key.
func (h *handle) look(k Key) Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.txns.look(k)
}

// version is the newest one known.
func (h *handle) version() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.snap.Version
}

// layout is how the table's files are apart.
func (h *handle) layout() layout {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.terms.layout
}

// refused is why textmill must not write to the table, as it is known, or nil.
func (h *handle) refused() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.terms.refused
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

// arm takes the lock under which this process may leave files in the table, unless it has it.
func (h *handle) arm() error {
	h.arming.Lock()
	defer h.arming.Unlock()
	before := h.own.Load()
	if before != nil && before.lock.Held() {
		return nil
	}
	s, err := openStage(h.dir)
	if err != nil {
		return err
	}
	h.own.Store(s) // what was made in the one of before goes on naming that, which is the garbage collector's to close
	if before != nil {
		before.hush()
	}
	return nil
}

// stage is where files go that this process leaves. The table must be armed.
func (h *handle) stage() *stage { return h.own.Load() }
