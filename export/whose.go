package export

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"textmill/export/delta"
	"textmill/export/part"
	"textmill/export/storage"
)

// whose tells which tasks and models have rows of a shard, from the rows themselves: for names that an older version
// settled, which do not say it. Parts are read once, and only when such a name comes again.
type whose struct {
	mu     sync.Mutex
	table  string                            // metaData.id
	seen   map[string]bool                   // parts that were read
	models map[[2]string]map[string]struct{} // by job and shard: <task>/<model>
}

// clarify decides what holds for a key whose name an older version settled. Rows of its own model: they are what was
// committed. Rows of others alone: nothing is settled for it; but those that came later, under a name of their own,
// say nothing of the older one, whose rows were taken out. No rows at all, since a delivery may have none and rows
// may be deleted: what was committed stays so, as that version had it; to repeat it for another model takes another
// job's name.
func (t *Table) clarify(ctx context.Context, h *handle, k Key) (Outcome, error) {
	owners, err := t.whose.of(ctx, t.path, k)
	if err != nil {
		return Absent, fmt.Errorf("look for rows of %s: %w", k.Older(), err)
	}
	if _, own := owners[k.owner]; !own && len(owners) > 0 {
		if owners, err = h.withoutLater(ctx, k, owners); err != nil {
			return Absent, fmt.Errorf("look for who settled %s: %w", k.Older(), err)
		}
	}
	if err := t.is(h); err != nil {
		return Absent, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, own := owners[k.owner]; own || len(owners) == 0 {
		return h.txns.under(k.short, k.Version), nil
	}
	h.txns.others[k.AppID] = struct{}{}
	return h.txns.look(k), nil
}

// withoutLater are those owners of a shard's rows whose rows may have come with its older name: a commit of today that
// takes that name beside the owner's own writes both at once, and one that found it taken writes the own alone.
func (h *handle) withoutLater(ctx context.Context, k Key, owners map[string]struct{}) (map[string]struct{}, error) {
	written := map[string]int64{}
	for owner := range owners {
		written[k.of(owner)] = 0
	}
	var short int64
	_, err := h.log.Load(ctx, func() delta.Sink {
		return delta.Sink{Txn: func(x delta.Txn) {
			at := int64(0)
			if x.LastUpdated != nil {
				at = *x.LastUpdated
			}
			if _, one := written[x.AppID]; one {
				written[x.AppID] = at
			} else if x.AppID == k.short {
				short = at
			}
		}}
	})
	if err != nil {
		return nil, err
	}
	first := map[string]struct{}{}
	for owner := range owners {
		if at := written[k.of(owner)]; at == 0 || at == short {
			first[owner] = struct{}{}
		}
	}
	return first, nil
}

// of gives the owners of a shard's rows. What is known of a shard does not change: whoever commits more of it writes a
// name of its own.
func (w *whose) of(ctx context.Context, uri string, k Key) (map[string]struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shard := [2]string{k.Job, k.shard}
	if known := w.models[shard]; known != nil {
		return known, nil
	}
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer v.close()
	if id := v.snap.Metadata.ID; w.table != id {
		w.table = id
		w.seen, w.models = map[string]bool{}, map[[2]string]map[string]struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(v.adds)) {
		if a := v.adds[name]; w.seen[name] || !mayHoldJob(a.Stats, k.Job) {
			continue
		}
		f, err := v.liveFile(v.adds[name])
		if err != nil {
			return nil, err
		}
		if err := v.read(f, func(_ storage.File, r *part.Reader) error { return w.add(ctx, r) }); err != nil {
			return nil, err
		}
		w.seen[name] = true
	}
	return w.models[shard], nil
}

func (w *whose) add(ctx context.Context, r *part.Reader) error {
	counts := map[part.Delivery]part.Tally{}
	if err := r.AddTallies(ctx, counts); err != nil {
		return err
	}
	for d := range counts {
		shard := [2]string{d.Job, d.Shard}
		if w.models[shard] == nil {
			w.models[shard] = map[string]struct{}{}
		}
		w.models[shard][d.Task+"/"+d.Model] = struct{}{}
	}
	return nil
}

// mayHoldJob says whether a part's bounds, where the log has any, leave room for a job's rows.
func mayHoldJob(stats *string, job string) bool {
	s := statsOf(stats)
	lo, hi := s.MinValues.Job, s.MaxValues.Job
	return lo == nil || hi == nil || *lo <= job && job <= *hi
}
