package export

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"textmill/export/part"
	"textmill/ground/naming"
)

// repeatsAtOnce is how many records of a batch are looked for in one pass over the table's files, at 48 bytes each.
const repeatsAtOnce = 1 << 20

// repeats chooses, for the records of a batch, what the table holds of them: older rows, which go where the batch
// replaces; and rows for which the batch's own are left out. It reads the batch's records from its parts, a share at a
// time.
type repeats struct {
	b    *Batch
	keep []*delivery // whose records these are
	swap *swap       // of the table's rows

	share
	bounds idBounds // of the share
	held   []repeat // each record of a share once, by hash
	rivals bool     // several deliveries have one of them
}

// repeat is a record of the batch, and whose rows of it stay among the batch's own.
type repeat struct {
	hash   [2]uint64
	place  part.Place
	by     int32 // in keep
	beaten bool  // the table holds a row for which they are left out
}

// findRepeats looks at the table as it is now.
func (b *Batch) findRepeats(ctx context.Context, keep []*delivery) (*repeats, error) {
	r := &repeats{b: b, keep: slices.Clone(keep), share: newShare()}
	r.swap = &swap{t: b.t, h: b.h, Rewrite: Rewrite{Extend: true}, dataChange: true, choose: r,
		touched: map[string]*touched{}}
	rows := int64(0)
	for _, p := range b.files(keep) {
		rows += p.rows
	}
	r.passes = uint64(rows/cmp.Or(b.repeatsAtOnce, repeatsAtOnce) + 1)
	files, snap, err := b.h.listing.newest(ctx, b.h.log, b.h.version())
	if err == nil {
		err = r.swap.begin(&snap)
	}
	if err != nil {
		return nil, err
	}
	return r, r.swap.look(ctx, files)
}

// own goes through the rows of the batch that may repeat a record.
func (r *repeats) own(ctx context.Context, each func(p *partFile, row int64, by int32, l *part.Label)) error {
	read := func(p *partFile, by func(row int64) int32) error {
		if p.rows == 0 {
			return nil
		}
		return p.source(func(src *part.Source) error {
			return src.Places(ctx, func(row int64, l *part.Label) error {
				if i := by(row); i >= 0 && !p.unnamed.has(row) && !p.left.has(row) {
					each(p, row, i, l)
				}
				return nil
			})
		})
	}
	for _, key := range slices.Sorted(maps.Keys(r.b.shared)) {
		if err := read(r.b.shared[key], r.ownersOf(key)); err != nil {
			return err
		}
	}
	for i, d := range r.keep {
		if d.spool == nil {
			continue
		}
		for _, p := range d.spool.parts {
			if err := read(p, func(int64) int32 { return int32(i) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownersOf tells whose each row of a shared part is, asked in ascending order; -1 is nobody's.
func (r *repeats) ownersOf(key string) func(row int64) int32 {
	i := 0
	return func(row int64) int32 {
		for i < len(r.keep) && r.keep[i].spans[key].to <= row {
			i++
		}
		if i == len(r.keep) || row < r.keep[i].spans[key].from {
			return -1
		}
		return int32(i)
	}
}

func (r *repeats) none() bool { return false }

// load has one share of the batch's records looked for. Of several deliveries' rows of one record those stay that were
// published last, or where records are skipped, those that came first.
func (r *repeats) load(ctx context.Context, pass uint64) error {
	if r.is(pass) {
		return nil
	}
	r.loaded, r.pass, r.held, r.rivals, r.bounds = false, pass, r.held[:0], false, idBounds{few: true}
	err := r.own(ctx, func(_ *partFile, _ int64, by int32, l *part.Label) {
		if h := r.hash(l.Task, l.RecordID); r.has(h) {
			if n := len(r.held); n == 0 || r.held[n-1].hash != h || r.held[n-1].by != by {
				r.held = append(r.held, repeat{hash: h, place: l.Place, by: by})
				r.bounds.add(l.RecordID)
			}
		}
	})
	r.bounds.end()
	slices.SortFunc(r.held, func(x, y repeat) int {
		c := compareHashes(x.hash, y.hash)
		if c == 0 && x.place != y.place && r.b.onRepeat == naming.RepeatReplace {
			c = less(y.place.Before(x.place))
		}
		return cmp.Or(c, cmp.Compare(x.by, y.by))
	})
	r.held = slices.CompactFunc(r.held, func(x, y repeat) bool {
		r.rivals = r.rivals || x.hash == y.hash && x.by != y.by
		return x.hash == y.hash
	})
	r.loaded = err == nil
	return err
}

func (r *repeats) find(l *part.Label) *repeat {
	i, found := slices.BinarySearchFunc(r.held, r.hash(l.Task, l.RecordID),
		func(e repeat, h [2]uint64) int { return compareHashes(e.hash, h) })
	if !found {
		return nil
	}
	return &r.held[i]
}

func (r *repeats) mayHold(f *examined, _ Partitioning) bool {
	return r.bounds.leaveRoom(&f.stats)
}

func (r *repeats) read(ctx context.Context, src *part.Source, each func(row int64, l *part.Label) error) error {
	return src.Places(ctx, each)
}

// means says whether a row of the table goes. One that does not, of a record that the batch has rows of, keeps those
// out.
func (r *repeats) means(l *part.Label) bool {
	if l.RecordID == "" {
		return false
	}
	e := r.find(l)
	if e == nil {
		return false
	}
	if r.b.onRepeat == naming.RepeatReplace && l.Place.Before(e.place) {
		return true
	}
	e.beaten = true
	return false
}

// looked marks the batch's rows that are left out, as far as the share of the records goes that is loaded.
func (r *repeats) looked(ctx context.Context) error {
	if !r.rivals && !slices.ContainsFunc(r.held, func(e repeat) bool { return e.beaten }) {
		return nil
	}
	return r.own(ctx, func(p *partFile, row int64, by int32, l *part.Label) {
		switch e := r.find(l); {
		case e == nil: // of another share
		case e.by != by:
			r.keep[by].rivalled = true
			p.left.mark(row)
		case e.beaten:
			p.left.mark(row)
		}
	})
}
