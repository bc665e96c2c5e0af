package export

import (
	"context"
	"errors"
	"os"
	"slices"

	"textmill/ground/naming"
)

// resolve finds out what becomes of records that the table holds, as of the newest state that is known. errUnplaced
// where what is kept is to be decided anew.
func (p *plan) resolve(ctx context.Context) error {
	b := p.b
	if !b.repeating() || len(p.keep) == 0 {
		return nil
	}
	if r := b.repeats; r != nil && !slices.Equal(r.keep, p.keep) {
		// Rows may have been left out for those of a delivery that is not to be committed any more.
		for _, d := range b.order {
			d.dropped = d.dropped || d.rivalled
		}
		b.forgetRepeats()
		return errUnplaced
	}
	if b.repeats != nil {
		if err := b.repeats.swap.examine(ctx, b.h.version()); err != nil {
			return err
		}
	} else {
		if err := b.narrow(ctx, p.keep); err != nil {
			return err
		}
		r, err := b.findRepeats(ctx, p.keep)
		if err != nil {
			return err
		}
		b.repeats = r
	}
	b.t.store.o.Point("repeats-found")
	if err := b.repeats.swap.writeTouched(ctx); err != nil {
		return err
	}
	b.t.store.o.Point("repeats-written")
	return b.repeats.swap.h.placeAll(b.repeats.swap.parts(), b.t.now())
}

// repeating says whether records of the batch are looked for in the table.
func (b *Batch) repeating() bool { return b.onRepeat != "" && b.onRepeat != naming.RepeatAppend }

func (b *Batch) forgetRepeats() {
	if b.repeats != nil {
		b.repeats.swap.abort()
		b.repeats = nil
	}
}

// maybe takes in that the log may name the parts.
func (p *plan) maybe() {
	p.b.ended = true
	if p.b.repeats != nil {
		p.b.repeats.swap.named.Store(true)
	}
}

// mostAgain is how often a commit looks anew at a table whose files go while they are looked into.
const mostAgain = 3

// again says whether an error only means that the table is to be looked at anew.
func (p *plan) again(err error) bool {
	if errors.Is(err, errUnplaced) {
		return true
	}
	if !errors.Is(err, ErrConflict) && !errors.Is(err, os.ErrNotExist) || !p.b.repeating() || p.tries >= mostAgain {
		return false
	}
	p.tries++
	p.b.forgetRepeats()
	return true
}
