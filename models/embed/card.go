package embed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"textmill/models"
	"textmill/models/internal/card"
	"textmill/models/internal/graph"
	"textmill/models/session"
)

// A deck is a graph of packed texts that is loaded on a card, or on the processor by the same way.
type deck struct {
	session *card.Session
	share   session.Share // of the card's memory
	inputs  []string
	// turns bounds the runs under way; who has none lays its batch out meanwhile.
	turns chan struct{}
	// longest is what a run's longest text is taken for at least.
	longest atomic.Int64
	// run is card.Binding.Run but for tests that inject failures.
	run func(ctx context.Context, b *card.Binding) error
}

// Batches that are in work on a card at a time: so many run, and one more is laid out and copied meanwhile.
const (
	cardRuns  = 2
	cardSlots = cardRuns + 1
)

const (
	// leastWork is what small batches take of a card beside the weights.
	leastWork = 256 << 20
	// bytesOfWork is about what a run takes for a token, by each value of its vector: queries, keys, values and an MLP of
	// four times the width in fp16, and as much again for what the arena keeps of other shapes.
	bytesOfWork = 32
)

// openDeck loads the graph for a card that the spec was opened with.
func openDeck(spec *models.Spec, o session.Options, threads int) (*deck, error) {
	weights, err := session.WeightBytes(spec.GraphPath())
	if err != nil {
		return nil, err
	}
	share, err := o.Claim(spec.Name, session.Demand{Weights: weights, Least: leastWork,
		Wanted: max(leastWork, cardRuns*mostTokens*int64(spec.Hidden)*bytesOfWork)})
	if err != nil {
		return nil, err
	}
	s, err := card.Open(card.Options{Graph: spec.GraphPath(), Device: o.Device, Threads: threads,
		MemoryLimit: share.Bytes})
	if err != nil {
		share.Release()
		return nil, err
	}
	d := &deck{session: s, share: share, turns: make(chan struct{}, cardRuns)}
	d.run = func(ctx context.Context, b *card.Binding) error {
		return b.Run(ctx, card.Eager)
	}
	d.longest.Store(shortest)
	for _, in := range s.Inputs() {
		d.inputs = append(d.inputs, in.Name)
	}
	return d, nil
}

// A cardSlot holds the memory of one batch at a time, on the host and on the card. It grows to the largest batch.
type cardSlot struct {
	deck    *deck
	binding *card.Binding
	host    growing // all inputs of int32, one behind the other
	device  growing
	shares  [2]growing // on the host and on the card
	outputs [3]growing
}

func (d *deck) slot() (*cardSlot, error) {
	b, err := d.session.Bind()
	if err != nil {
		return nil, err
	}
	s := &cardSlot{deck: d, binding: b, host: growing{make: d.session.Host, kind: graph.Int32},
		device: growing{make: d.session.Device, kind: graph.Int32}}
	s.shares[0] = growing{make: d.session.Host, kind: graph.Float32}
	s.shares[1] = growing{make: d.session.Device, kind: graph.Float32}
	for i := range s.outputs {
		s.outputs[i] = growing{make: d.session.Host, kind: graph.Float32}
	}
	return s, nil
}

// embed runs rows in one batch, or where the card's memory does not suffice in parts; no batch will be as large again.
func (s *cardSlot) embed(ctx context.Context, e *Embedder, rows []Row) ([]Vector, error) {
	total := 0
	for _, r := range rows {
		total += len(r.IDs)
	}
	p := pack(rows, e.spec, e.sizeFor(total), int(s.deck.longest.Load()))
	vectors, err := s.once(ctx, e, p)
	if !errors.Is(err, session.ErrOutOfMemory) || ctx.Err() != nil {
		return vectors, err
	}
	e.shrink(p.tokens)
	if len(rows) == 1 {
		return nil, err
	}
	half := len(rows) / 2
	first, err := s.embed(ctx, e, rows[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.embed(ctx, e, rows[half:])
	return append(first, second...), err
}

func (s *cardSlot) once(ctx context.Context, e *Embedder, p *packed) (_ []Vector, err error) {
	views := &views{}
	defer func() { err = errors.Join(err, views.close()) }()
	if err := s.bindInputs(views, p); err != nil {
		return nil, err
	}
	var out [3]*card.Tensor
	for i, o := range []struct {
		name string
		rows int
	}{{models.PackedVectors, len(p.sums)}, {models.PackedGreatest, len(p.greatest)}, {models.PackedEach, p.kept}} {
		out[i] = views.of(&s.outputs[i], 0, int64(max(o.rows, 1)), int64(e.spec.Hidden))
		views.bind(s.binding.Out, o.name, out[i])
	}
	if views.err != nil {
		return nil, views.err
	}
	select {
	case s.deck.turns <- struct{}{}:
		err = s.deck.run(ctx, s.binding)
		<-s.deck.turns
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return p.vectors(out[0].Floats(), out[1].Floats(), out[2].Floats(), e.spec), nil
}

// aligned is what inputs begin at a multiple of, in int32: operators read many values at a time.
const aligned = 64

// bindInputs lays the inputs out in memory that the card copies at its speed, copies them, and binds them.
func (s *cardSlot) bindInputs(views *views, p *packed) error {
	inputs := slices.DeleteFunc(p.inputs(), func(x extent) bool { return !slices.Contains(s.deck.inputs, x.name) })
	at, begins := 0, make([]int64, len(inputs))
	for i, x := range inputs {
		begins[i] = int64(at)
		at += (x.size() + aligned - 1) / aligned * aligned
	}
	host, device := views.of(&s.host, 0, int64(at)), views.of(&s.device, 0, int64(at))
	rows := int64(max(len(p.sums), 1))
	shares, sharesThere := views.of(&s.shares[0], 0, rows, 1), views.of(&s.shares[1], 0, rows, 1)
	if views.err != nil {
		return views.err
	}
	all := host.Int32s()
	for i, x := range inputs {
		x.fill(all[begins[i]:][:x.size()])
	}
	p.shares(shares.Floats())
	if err := errors.Join(card.Copy(device, host), card.Copy(sharesThere, shares)); err != nil {
		return err
	}
	for i, x := range inputs {
		views.bind(s.binding.In, x.name, views.of(&s.device, begins[i], x.shape...))
	}
	views.bind(s.binding.In, models.PackedShares, sharesThere)
	return views.err
}

// growing is memory that is replaced by larger one when it is asked for more.
type growing struct {
	make func(kind card.Kind, shape ...int64) (*card.Tensor, error)
	kind card.Kind
	t    *card.Tensor
	size int64 // in elements
}

func (g *growing) atLeast(n int64) error {
	if n <= g.size {
		return nil
	}
	if g.t != nil {
		if err := g.t.Close(); err != nil {
			return err
		}
		g.t, g.size = nil, 0
	}
	n = int64(powerOfTwo(int(n)))
	t, err := g.make(g.kind, n)
	if err != nil {
		return err
	}
	g.t, g.size = t, n
	return nil
}

// views are the shapes that one run sees memory in, up to the first error.
type views struct {
	all []*card.Tensor
	err error
}

func (v *views) of(g *growing, at int64, shape ...int64) *card.Tensor {
	n := at
	if v.err == nil {
		size := int64(1)
		for _, d := range shape {
			size *= d
		}
		n += size
		v.err = g.atLeast(n)
	}
	if v.err != nil {
		return nil
	}
	t, err := g.t.ViewAt(at, shape...)
	if err != nil {
		v.err = err
		return nil
	}
	v.all = append(v.all, t)
	return t
}

func (v *views) bind(to func(string, *card.Tensor) error, name string, t *card.Tensor) {
	if v.err == nil {
		v.err = to(name, t)
	}
}

func (v *views) close() (err error) {
	for _, t := range v.all {
		err = errors.Join(err, t.Close())
	}
	return err
}

// shrink has batches stay below what the card had no memory for.
func (e *Embedder) shrink(tokens int) {
	for {
		now := e.budget.Load()
		less := min(now, max(int64(tokens)/2, int64(e.sizeFor(1))))
		if less == now {
			return
		}
		if e.budget.CompareAndSwap(now, less) {
			e.o.Log.Warn("out of memory on the card: batches are smaller from now on", "model", e.spec.Name, "device", e.device,
				"batch_tokens", less)
			return
		}
	}
}

// closeDeck is Close of a session on a card.
func (d *deck) close() error {
	defer d.share.Release() // not before its memory is free
	if err := d.session.Close(); err != nil {
		return fmt.Errorf("close the session: %w", err)
	}
	return nil
}
