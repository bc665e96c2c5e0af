package export

import (
	"context"
	"errors"
	"fmt"
	"os"

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

// tallied is the tallies of one log entry: after a crash its deliveries all come again, one after the other.
type tallied struct {
	table   string // metaData.id
	version int64
	txns    *ledger
	counts  map[Origin]Tally
}

// Tally tells what a delivery that was committed earlier brought into the table. It reports false when the entry that
// holds it is too far back, or its parts were rewritten since.
func (t *Table) Tally(ctx context.Context, k Key, o Origin) (Tally, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil || t.h.snap == nil {
		return Tally{}, false, nil
	}
	newest := t.h.snap.Version
	for v := newest; v >= 0 && v > newest-tallyBack; v-- {
		e, err := t.entryTallies(ctx, v)
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

// entryTallies reads entry v, or remembers it; its parts are read only when some delivery is in it. It needs t.mu.
func (t *Table) entryTallies(ctx context.Context, v int64) (*tallied, error) {
	id := t.h.snap.Metadata.ID
	if e := t.tallies[v%tallyBack]; e != nil && e.version == v && e.table == id {
		return e, nil
	}
	entry, _, err := t.h.log.Read(v)
	if err != nil {
		return nil, err
	}
	e := &tallied{table: id, version: v, txns: newLedger(), counts: map[Origin]Tally{}}
	for _, txn := range entry.Txns {
		e.txns.put(txn)
	}
	if len(entry.Txns) > 0 {
		for _, a := range entry.Adds {
			if err := t.h.tally(ctx, a, e.counts); err != nil {
				return nil, err
			}
		}
	}
	t.tallies[v%tallyBack] = e
	return e, nil
}

func (h *handle) tally(ctx context.Context, a delta.Add, counts map[Origin]Tally) error {
	f, err := h.dir.Open(a.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := part.Open(f, a.Size)
	if err != nil {
		return err
	}
	return r.AddTallies(ctx, counts)
}
