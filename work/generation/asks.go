package generation

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"textmill/export"
	"textmill/jobs"
	"textmill/work/rows"
)

// askers bound the texts that somebody waits for.
type askers struct {
	texts *semaphore.Weighted
	most  int64
}

// fewestAsked is how many texts may be waited for where there are fewer slots.
const fewestAsked = 16

func newAskers(slots int) askers {
	most := int64(max(slots, fewestAsked))
	return askers{semaphore.NewWeighted(most), most}
}

// asking is the work of one who waits, for as long as any of it is under way.
type asking struct {
	work
	room  askers
	texts int64 // that all records come to

	mu    sync.Mutex
	begun bool
	more  int // records that are yet to come
	under int // way
}

// Asks is Work whose rows somebody waits for: its texts pass those of the queue. It takes the shard's records in turn,
// until one is refused: with ErrBusy the first, where more texts would be waited for than there are slots.
func (e *Engine) Asks(s *jobs.Shard, o rows.Origin) rows.Work {
	a := &asking{work: e.Work(s, o).(work), room: e.room, more: len(s.Records)}
	for i := range s.Records {
		if p, err := s.Generate.With(s.Records[i].Params); err == nil { // else it is an error row
			a.texts = min(a.texts+int64(max(p.N, 1)), e.room.most)
		}
	}
	a.asks = true
	return a
}

func (a *asking) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	if !a.begin() {
		return rows.ErrBusy
	}
	err := a.work.Do(ctx, r, func(made []export.Row) {
		a.end(false)
		done(made)
	})
	if err != nil {
		a.end(true)
	}
	return err
}

func (a *asking) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun && !a.room.texts.TryAcquire(a.texts) {
		return false
	}
	a.begun = true
	a.more--
	a.under++
	return true
}

// end is told of a record that is no more under way, and whether those after it do not come.
func (a *asking) end(last bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last {
		a.more = 0
	}
	if a.under--; a.under == 0 && a.more == 0 {
		a.room.texts.Release(a.texts)
	}
}
