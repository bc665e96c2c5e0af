package generate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"textmill/models"
	"textmill/models/internal/card"
	"textmill/models/internal/graph"
	"textmill/models/session"
)

const (
	// eagerRuns of a decode come before one that is captured as a CUDA graph: by then everything is allocated.
	eagerRuns = 4
	// padding has the last part of each prompt come in few sizes, since the memory that runs took is kept for each.
	padding = 32
)

// bound runs graphs of textmill's own layouts over memory of a device, by the same way on a card and on the processor.
// A decode always takes all slots, and a prompt has runs of its own, so that a text's bits do not go by its company.
type bound struct {
	d          *models.Decoder
	chunk      int // of a prompt
	log        *slog.Logger
	share      session.Share // of the card's memory
	session    *card.Session
	choice     *card.Session // takes the highest logits, nil where the bundle has no graph that does
	candidates int           // that the choice gives
	chooses    bool          // the graph gives the likeliest token

	slots, length int
	caches        []*card.Tensor // [slots, kv_heads, length, head_size], in the order of names
	names         [][2]string    // of past and present
	decodes       *card.Binding
	short         shorts
	prompts       []*card.Binding // by slot, nil before its first prompt
	in            feeds
	out           gives
	runs          int // of decodes, since memory was reserved
	graph         int // the CUDA graph that decodes are, and the one before it that runs of short prompts are
	eager         bool
}

func openBound(ctx context.Context, spec *models.Spec, o Options) (_ *bound, err error) {
	b := &bound{d: spec.Decoder, log: o.Session.Log, short: shorts{tokens: o.chunk / shortParts},
		chunk: (o.chunk + padding - 1) / padding * padding}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	share, limit, ofChoice, err := claim(spec, o)
	if err != nil {
		return nil, err
	}
	b.share = share
	if b.session, err = b.open(ctx, spec.GraphPath(), o, limit); err != nil {
		return nil, err
	}
	if spec.Card != nil && spec.Card.Choice != "" {
		path := filepath.Join(spec.Dir, filepath.FromSlash(spec.Card.Choice))
		if b.choice, err = b.open(ctx, path, o, ofChoice); err != nil {
			return nil, err
		}
		b.candidates = spec.Card.Candidates
	}
	for _, v := range b.session.Outputs() {
		b.chooses = b.chooses || v.Name == "token"
	}
	for i := range b.d.Layers {
		for _, part := range []string{"key", "value"} {
			b.names = append(b.names, [2]string{fmt.Sprintf("past_key_values.%d.%s", i, part),
				fmt.Sprintf("present.%d.%s", i, part)})
		}
	}
	return b, nil
}

// open loads a graph with CUDA graphs, and without them where it has a node that they cannot hold.
func (b *bound) open(ctx context.Context, path string, o Options, limit int64) (*card.Session, error) {
	c := card.Options{Graph: path, Device: o.Session.Device, Threads: o.Session.Threads, MemoryLimit: limit,
		Graphs: o.Session.Device != "cpu"}
	s, err := card.Open(c)
	if err == nil || !c.Graphs {
		return s, err
	}
	c.Graphs = false
	s, again := card.Open(c)
	if again != nil {
		return nil, again
	}
	b.eager = true
	b.log.WarnContext(ctx, "the model runs without CUDA graphs, which is slower", "graph", path, "error", err)
	return s, nil
}

// kind is the element type of the caches.
func (b *bound) kind() card.Kind {
	switch b.d.CacheType {
	case "float16":
		return graph.Float16
	case "bfloat16":
		return graph.BFloat16
	}
	return graph.Float32
}

func (b *bound) reserve(slots, length int) (err error) {
	if err := b.free(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.free())
		}
	}()
	b.slots, b.length, b.runs = slots, length, 0
	b.graph += 2 // what was captured is over other memory
	for range b.names {
		t, err := b.session.Device(b.kind(), int64(slots), int64(b.d.KVHeads), int64(length), int64(b.d.HeadSize))
		if err != nil {
			return err
		}
		b.caches = append(b.caches, t)
	}
	if err := b.in.make(b.session, slots, length, min(b.chunk, length)); err != nil {
		return err
	}
	if err := b.out.make(b, max(slots, shortRows)); err != nil {
		return err
	}
	if err := b.short.make(b); err != nil {
		return err
	}
	b.prompts = make([]*card.Binding, slots)
	b.decodes, err = b.bind(0, slots)
	if err != nil {
		return err
	}
	return b.in.bind(b.decodes, int64(slots), 1)
}

// bind makes a binding of some slots' caches, and of as many rows of what a run gives.
func (b *bound) bind(first, n int) (*card.Binding, error) {
	binding, err := b.session.Bind()
	if err != nil {
		return nil, err
	}
	per := int64(b.d.KVHeads * b.length * b.d.HeadSize)
	for i, names := range b.names {
		v, err := b.caches[i].ViewAt(int64(first)*per, int64(n), int64(b.d.KVHeads), int64(b.length), int64(b.d.HeadSize))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(binding.In(names[0], v), binding.Out(names[1], v)); err != nil {
			return nil, err
		}
	}
	return binding, b.out.bind(binding, n)
}

// free gives all memory back, bindings before what they hold.
func (b *bound) free() (err error) {
	for _, binding := range append(b.prompts, b.decodes) {
		if binding != nil {
			err = errors.Join(err, binding.Close())
		}
	}
	err = errors.Join(err, b.short.close(), b.in.close(), b.out.close())
	for _, t := range b.caches {
		err = errors.Join(err, t.Close())
	}
	b.prompts, b.decodes, b.caches = nil, nil, nil
	return err
}

func (b *bound) prefill(ctx context.Context, slot, used int, ids []int32, candidates bool) (scored, error) {
	if b.decodes == nil {
		return scored{}, errNoRoomLeft
	}
	// What comes behind the prompt changes nothing before it, and the next token takes its place.
	n := min((len(ids)+padding-1)/padding*padding, b.length-used)
	binding := b.prompts[slot]
	if binding == nil {
		var err error
		if binding, err = b.bind(slot, 1); err != nil {
			return scored{}, err
		}
		b.prompts[slot] = binding
	}
	if err := b.in.prompt(binding, ids, n, used); err != nil {
		return scored{}, err
	}
	if err := binding.Run(ctx, card.Eager); err != nil {
		return scored{}, err
	}
	all, err := b.scores(ctx, 1, candidates)
	if err != nil {
		return scored{}, err
	}
	return all[0], nil
}

func (b *bound) decode(ctx context.Context, _ int, rows []row) ([]scored, error) {
	if b.decodes == nil {
		return nil, errNoRoomLeft
	}
	candidates := false
	for _, r := range rows {
		candidates = candidates || r.candidates
	}
	if err := b.in.tokens(rows); err != nil {
		return nil, err
	}
	if err := b.run(ctx, b.decodes, &b.runs, b.graph); err != nil {
		return nil, err
	}
	return b.scores(ctx, len(rows), candidates)
}

// run runs a binding whose shapes and memory never change, as a CUDA graph after some runs.
func (b *bound) run(ctx context.Context, binding *card.Binding, runs *int, id int) error {
	if *runs++; *runs <= eagerRuns || b.eager {
		id = card.Eager
	}
	err := binding.Run(ctx, id)
	if err == nil || id == card.Eager || ctx.Err() != nil || errors.Is(err, card.ErrOutOfMemory) {
		return err
	}
	b.eager = true // a run writes only what it would write again
	b.log.WarnContext(ctx, "a CUDA graph failed, the model runs without them, which is slower", "error", err)
	return binding.Run(ctx, card.Eager)
}

// scores tells of the first rows of what the last run gave.
func (b *bound) scores(ctx context.Context, n int, candidates bool) ([]scored, error) {
	all := make([]scored, n)
	if !b.chooses {
		logits, err := b.out.fetch(0, n)
		if err != nil {
			return nil, err
		}
		for i := range all {
			all[i].logits = logits[i*b.d.VocabSize : (i+1)*b.d.VocabSize]
		}
		return all, nil
	}
	candidates = candidates && b.choice != nil
	if err := b.out.read(ctx, n, candidates); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].best = b.out.best(i, candidates)
		all[i].fetch = func() ([]float32, error) { return b.out.fetch(i, 1) }
	}
	return all, nil
}

func (b *bound) move(to, from, used int) error {
	if to == from || used == 0 {
		return nil
	}
	line := int64(b.length * b.d.HeadSize) // of a slot's head
	per := int64(b.d.KVHeads) * line
	parts := make([]card.Part, 0, len(b.caches))
	for _, t := range b.caches {
		parts = append(parts, card.Part{Dst: t, Src: t, Rows: card.Rows{To: int64(to) * per, From: int64(from) * per,
			Width: int64(used * b.d.HeadSize), Stride: line, N: int64(b.d.KVHeads)}})
	}
	return card.CopyAll(parts...)
}

// release keeps everything: the memory is the cache's as long as it is.
func (b *bound) release(int, int) error { return nil }

func (b *bound) close() error {
	defer b.share.Release() // not before its memory is free
	err := b.free()
	for _, s := range []*card.Session{b.session, b.choice} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}
