package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"textmill/export/delta"
	"textmill/export/part"
)

// Commit makes the rows part of the table, but for deliveries that the log already settles: Result.Outcomes says for
// each key what holds. ErrNoSpace and ErrStorage: call Commit again later, or Abort. ErrUnknown: see there; Abort then
// keeps files that the log may name. ErrGone and ErrSchema: Abort. Once an entry is linked ctx no longer stops it.
func (b *Batch) Commit(ctx context.Context) (Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ready(); err != nil {
		return Result{}, err
	}
	plan := plan{b: b}
	version, err := plan.commit(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", b.t.path, err)
	}
	b.ended = true
	b.discard(plan.keep)
	if b.repeats != nil {
		b.repeats.swap.named.Store(len(plan.keep) > 0)
		b.forgetRepeats()
	}
	plan.result.Version = version
	for _, d := range plan.keep {
		if d.left.Rows > 0 {
			plan.result.Errors -= d.left.Errors
			plan.result.Left[d.key.AppID] = d.left
		}
	}
	return plan.result, nil
}

// ready finishes the shared parts.
func (b *Batch) ready() error {
	if b.ended {
		return errors.New("batch is committed or aborted")
	}
	if b.broken != nil {
		return b.broken
	}
	for _, p := range b.shared {
		if err := p.finish(); err != nil {
			return b.fail(err)
		}
	}
	return nil
}

// plan is what a commit of a batch would bring, as of the newest state that it was decided from.
type plan struct {
	b      *Batch
	keep   []*delivery // that the log does not settle
	tries  int
	result Result
}

// decide needs h.mu.
func (p *plan) decide() ([]delta.Action, error) {
	b, h := p.b, p.b.h
	p.result = Result{Outcomes: map[string]Outcome{}, Left: map[string]Left{}}
	p.keep = p.keep[:0]
	for _, d := range b.order {
		outcome := h.txns.look(d.key)
		if outcome == Absent && !d.dropped {
			p.keep = append(p.keep, d)
			outcome = Committed
		}
		if outcome == unclear { // since it was looked up; it comes again
			outcome = Absent
		}
		p.result.Outcomes[d.key.AppID] = outcome
	}
	if len(p.keep) == 0 {
		return nil, nil
	}
	if err := h.terms.accepts(b.kind); err != nil {
		return nil, err
	}
	bind, err := h.terms.fits(b.bound(p.keep), h.held)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, d := range p.keep {
		keys = append(keys, d.key)
		p.result.Errors += d.errors
	}
	now := b.t.store.o.Now().UnixMilli()
	actions := h.txns.txnsOf(keys, now)
	if b.repeating() {
		if r := b.repeats; r == nil || r.swap.seen != h.snap.Version || !slices.Equal(r.keep, p.keep) {
			return nil, errUnplaced
		}
		actions = append(actions, b.repeats.swap.removes(now)...)
	}
	if h.terms.kind == b.kind && !bind && !h.terms.lacks {
		return actions, nil
	}
	m := h.snap.Metadata
	if h.terms.kind != b.kind || h.terms.lacks {
		if m.SchemaString, err = part.Evolved(m.SchemaString, b.kind); err != nil {
			return nil, err
		}
	}
	if bind {
		m.Configuration = maps.Clone(m.Configuration)
		if m.Configuration == nil {
			m.Configuration = map[string]string{}
		}
		m.Configuration[vectorsKey] = b.vectors.Property()
	}
	return append(actions, delta.Action{Metadata: &m}), nil
}

// errUnplaced says that parts must be written or uploaded before the commit can go on.
var errUnplaced = errors.New("parts are not in their place")

// commit places what the log, as it is known, leaves to be committed, and then commits it: nobody's commit waits for
// another's uploads. Should somebody have been faster, his rows are taken out, and it begins again.
func (p *plan) commit(ctx context.Context) (version int64, err error) {
	t, h := p.b.t, p.b.h
	c := change{operation: "WRITE", decide: p.decide, parts: p.parts, maybe: p.maybe}
	if p.b.repeating() {
		c.operation = "MERGE"
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		_, _, err := h.decide(p.decide)
		if err == nil || errors.Is(err, errUnplaced) { // what is refused now may be mended in the log
			if err = p.resolve(ctx); err == nil {
				err = p.place(ctx)
			}
			if p.again(err) {
				continue
			}
			if err != nil {
				return 0, t.blame(h, err)
			}
		}
		version, err = t.commit(ctx, h, c)
		if !errors.Is(err, errUnplaced) {
			return version, err
		}
	}
}

// place makes the parts of what is kept files of the table, durably.
func (p *plan) place(ctx context.Context) error {
	if len(p.keep) == 0 {
		return nil
	}
	b := p.b
	if err := b.narrow(ctx, p.keep); err != nil {
		return err
	}
	var parts []*partFile
	for _, f := range b.files(p.keep) {
		if f.rows == 0 { // it took only refused rows
			b.t.warn(f.remove())
			continue
		}
		parts = append(parts, f)
	}
	return b.h.placeAll(parts, b.t.now())
}

// parts names those of what is kept, once they are in their place.
func (p *plan) parts() ([]delta.Action, error) {
	b := p.b
	for key := range b.shared {
		if b.holdsOthers(key, p.keep) {
			return nil, errUnplaced
		}
	}
	now := b.t.now()
	var adds []delta.Action
	p.result.Rows, p.result.Bytes = 0, 0
	for _, f := range b.files(p.keep) {
		if f.rows == 0 {
			continue
		}
		if !f.durable {
			return nil, errUnplaced
		}
		if err := errors.Join(f.stillThere(now), f.stage.held()); err != nil {
			return nil, err
		}
		p.result.Rows += f.rows
		p.result.Bytes += f.size
		adds = append(adds, delta.Action{Add: f.add()})
	}
	if b.repeats != nil {
		rest, err := b.repeats.swap.adds()
		return append(adds, rest...), err
	}
	return adds, nil
}

// files are the finished parts that hold deliveries' rows.
func (b *Batch) files(keep []*delivery) []*partFile {
	var all []*partFile
	for _, key := range slices.Sorted(maps.Keys(b.shared)) {
		all = append(all, b.shared[key])
	}
	for _, d := range keep {
		if d.spool != nil {
			all = append(all, d.spool.parts...)
		}
	}
	return all
}

// discard removes the parts that the commit did not name.
func (b *Batch) discard(keep []*delivery) {
	kept := map[*delivery]bool{}
	for _, d := range keep {
		kept[d] = true
	}
	for _, d := range b.order {
		if d.spool != nil && !kept[d] {
			d.spool.remove()
		}
	}
	if len(keep) == 0 {
		b.removeShared()
	}
}

func (b *Batch) removeShared() {
	for _, p := range b.shared {
		b.t.warn(p.remove())
	}
}

// Abort gives up what was not committed. It is always safe, also after Commit, and may be deferred.
func (b *Batch) Abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	b.forgetRepeats()
	b.removeShared()
	for _, d := range b.order {
		if d.spool != nil {
			d.spool.remove()
		}
	}
}
