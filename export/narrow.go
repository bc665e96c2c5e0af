package export

import (
	"context"
	"maps"
	"slices"
)

// holdsOthers says whether a shared part has rows of a delivery that is not kept.
func (b *Batch) holdsOthers(key string, keep []*delivery) bool {
	var want int64
	for _, d := range keep {
		want += d.spans[key].to - d.spans[key].from
	}
	return want != b.shared[key].rows
}

// narrow writes shared parts again under a new name that hold rows of a delivery that is not kept.
func (b *Batch) narrow(ctx context.Context, keep []*delivery) error {
	for _, key := range slices.Sorted(maps.Keys(b.shared)) {
		if !b.holdsOthers(key, keep) {
			continue
		}
		if err := b.narrowOne(ctx, key, keep); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) narrowOne(ctx context.Context, key string, keep []*delivery) error {
	var spans []span
	for _, d := range keep {
		spans = append(spans, d.spans[key])
	}
	next, err := b.shared[key].without(ctx, b.t.store.o, spans)
	if err != nil {
		return err
	}
	if err := b.shared[key].remove(); err != nil {
		b.t.log.WarnContext(ctx, "a part stays until the next sweep", "error", err)
	}
	var at int64
	for _, d := range b.order {
		d.dropped = d.spool == nil
	}
	for _, d := range keep {
		n := d.spans[key].to - d.spans[key].from
		d.spans[key], d.dropped = span{at, at + n}, false
		at += n
	}
	b.shared[key] = next
	return nil
}
