package export

import (
	"context"
	"maps"
	"slices"
)

// holdsOthers says whether a shared part has rows that are not to be committed.
func (b *Batch) holdsOthers(key string, keep []*delivery) bool {
	var want int64
	for _, d := range keep {
		want += d.spans[key].to - d.spans[key].from
	}
	return want != b.shared[key].rows || b.shared[key].left != nil
}

// narrow writes parts again under a new name that hold rows which are not to be committed: of a delivery that is not
// kept, or left out.
func (b *Batch) narrow(ctx context.Context, keep []*delivery) error {
	for _, key := range slices.Sorted(maps.Keys(b.shared)) {
		if !b.holdsOthers(key, keep) {
			continue
		}
		if err := b.narrowShared(ctx, key, keep); err != nil {
			return err
		}
	}
	for _, d := range keep {
		if d.spool == nil {
			continue
		}
		for i, p := range d.spool.parts {
			if p.left == nil {
				continue
			}
			var left Left
			next, err := b.replace(ctx, p, func(row int64, r *Row) bool { return !left.takes(p, row, r) })
			if err != nil {
				return err
			}
			d.spool.parts[i] = next
			d.left.add(left)
		}
	}
	return nil
}

// replace gives a part up for one of some of its rows.
func (b *Batch) replace(ctx context.Context, p *partFile, keep func(row int64, r *Row) bool) (*partFile, error) {
	next, err := p.only(ctx, b.t.store.o, keep)
	if err == nil {
		b.t.warn(p.remove())
	}
	return next, err
}

// takes says whether a row is left out, and counts it.
func (l *Left) takes(p *partFile, row int64, r *Row) bool {
	if !p.left.has(row) {
		return false
	}
	l.Rows++
	if r.Error != "" {
		l.Errors++
	}
	return true
}

func (l *Left) add(more Left) { l.Rows, l.Errors = l.Rows+more.Rows, l.Errors+more.Errors }

func (b *Batch) narrowShared(ctx context.Context, key string, keep []*delivery) error {
	p := b.shared[key]
	spans, left := make([]span, len(keep)), make([]Left, len(keep))
	i, n := 0, int64(0)
	next, err := b.replace(ctx, p, func(row int64, r *Row) bool {
		for i < len(keep) && keep[i].spans[key].to <= row {
			i++
			if i < len(keep) {
				spans[i] = span{n, n}
			}
		}
		if i == len(keep) || row < keep[i].spans[key].from || left[i].takes(p, row, r) {
			return false
		}
		n++
		spans[i].to = n
		return true
	})
	if err != nil {
		return err
	}
	for _, d := range b.order {
		d.dropped = d.dropped || d.spool == nil
	}
	for i, d := range keep {
		d.spans[key], d.dropped = spans[i], false
		d.left.add(left[i])
	}
	b.shared[key] = next
	return nil
}
