package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"textmill/export/delta"
	"textmill/export/part"
)

// Tally is what a delivery brought; Origin names the delivery as its rows do.
type (
	Tally  = part.Tally
	Origin = part.Delivery
)

// tallyBack is in how many of the newest log entries Tally looks. What comes again after a crash is near the end.
const tallyBack = 64

// tallies are those of a table's newest log entries: after a crash an entry's deliveries all come again, one after the
// other.
type tallies struct {
	mu      sync.Mutex // one reads entries and parts
	entries [tallyBack]*tallied
}

// tallied is the tallies of one log entry.
type tallied struct {
	table   string // metaData.id
	version int64
	txns    *txnIndex
	counts  map[Origin]Tally
}

// Tally tells what a delivery that was committed earlier brought into the table. It reports false when the entry that
// holds it is too far back, or its parts were rewritten since.
func (t *Table) Tally(ctx context.Context, k Key, o Origin) (Tally, bool, error) {
	h := t.current()
	if h == nil {
		return Tally{}, false, nil
	}
	t.tallies.mu.Lock()
	defer t.tallies.mu.Unlock()
	id, newest := h.identity()
	for v := newest; v >= 0 && v > newest-tallyBack; v-- {
		e, err := t.tallies.of(ctx, h, id, v)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return Tally{}, false, nil
		case err != nil:
			return Tally{}, false, fmt.Errorf("count rows of %s: %w", k, err)
		}
		if found := e.txns.look(k); found == Committed || found == unclear {
			c, ok := e.counts[o]
			return c, ok, nil
		}
	}
	return Tally{}, false, nil
}

// identity is which table it is, and at which version it is known.
func (h *handle) identity() (id string, version int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.snap.Metadata.ID, h.snap.Version
}

// of reads entry v of the table id, or remembers it; its parts are read only when some delivery is in it.
func (c *tallies) of(ctx context.Context, h *handle, id string, v int64) (*tallied, error) {
	if e := c.entries[v%tallyBack]; e != nil && e.version == v && e.table == id {
		return e, nil
	}
	entry, _, err := h.log.Read(v)
	if err != nil {
		return nil, err
	}
	e := &tallied{table: id, version: v, txns: newTxnIndex(), counts: map[Origin]Tally{}}
	for _, txn := range entry.Txns {
		e.txns.put(txn)
	}
	if len(entry.Txns) > 0 {
		for _, a := range entry.Adds {
			if err := h.tally(ctx, a, e.counts); err != nil {
				return nil, err
			}
		}
	}
	c.entries[v%tallyBack] = e
	return e, nil
}

func (h *handle) tally(ctx context.Context, a delta.Add, counts map[Origin]Tally) error {
	name, err := fileOf(a.Path)
	if err != nil {
		return err
	}
	f, err := h.dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := part.Open(f, a.Size)
	if err != nil {
		return err
	}
	r.Fill(a.PartitionValues)
	return r.AddTallies(ctx, counts)
}
