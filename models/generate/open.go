package generate

import (
	"context"
	"errors"
	"fmt"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/internal/onnx"
	"textmill/models/session"
)

// Open checks the bundle's files against their recorded hashes and loads the model. Where texts would depend on their
// company with the graph of spec, and the bundle has one with the same weights and exact arithmetic that keeps them
// apart, that one runs: Spec tells which, and Notes say so.
func Open(ctx context.Context, spec *models.Spec, o Options) (*Generator, error) {
	if spec.Task != naming.TaskGenerate {
		return nil, fmt.Errorf("%w: %s was made to %s, not to generate", models.ErrBundle, spec.Name, spec.Task)
	}
	g, err := load(ctx, spec, o)
	if err != nil {
		return nil, err
	}
	if why := g.Dependence(); why != "" {
		if g, err = g.exact(ctx, o, why); err != nil {
			return nil, err
		}
	}
	g.start()
	return g, nil
}

// start has it run.
func (g *Generator) start() {
	g.turns = g.newTurns()
	running, stop := context.WithCancelCause(context.Background())
	g.stopped, g.stop = running.Done(), stop
	g.begin()
	go g.serve(running)
}

// load makes a generator that does not run yet.
func load(ctx context.Context, spec *models.Spec, o Options) (*Generator, error) {
	if err := spec.Verify(ctx); err != nil {
		return nil, err
	}
	g := &Generator{spec: spec, ended: make(chan struct{})}
	if err := g.settleSizes(o); err != nil {
		return nil, err
	}
	if err := onnx.Load(g.o.Session.Library); err != nil {
		return nil, err
	}
	var err error
	switch {
	case g.card:
		g.run, err = openBound(ctx, spec, g.o)
	case spec.Decoder.Own():
		g.run, err = openSlotted(spec, g.o)
	default:
		g.run, err = openExported(spec, g.o)
	}
	if err != nil {
		return nil, err
	}
	if err := g.settleShapes(ctx); err != nil {
		return nil, errors.Join(err, g.run.close())
	}
	return g, nil
}

// exact takes the place of a generator whose texts depend on their company, if the bundle has a graph whose texts do
// not.
func (g *Generator) exact(ctx context.Context, o Options, why string) (*Generator, error) {
	first := g.spec.Decoder.Graphs[0]
	if first.File == g.spec.Graph || first.Activations != "float32" {
		return g, nil
	}
	spec, err := models.OpenGraph(g.spec.Dir, first.File)
	if err != nil {
		return nil, errors.Join(err, g.run.close())
	}
	spec.Name = g.spec.Name
	other, err := load(ctx, spec, o)
	if err != nil {
		return nil, errors.Join(err, g.run.close())
	}
	if other.Dependence() != "" {
		return g, other.run.close()
	}
	other.notes = append(other.notes, fmt.Sprintf("%s runs instead of %s, with which %s", first.File, g.spec.Graph, why))
	return other, g.run.close()
}

// settleShapes finds out how runs must look, and makes room for them.
func (g *Generator) settleShapes(ctx context.Context) error {
	if err := g.settleCompany(ctx); err != nil {
		return err
	}
	g.o.Slots = g.company.Runs.Fit(g.o.Slots)
	beyond := 0 // the longest prompt, which leaves room for a token
	if g.shares {
		beyond = max(g.company.Prefill.Most()-1, 0)
	}
	g.length = min(g.length, max(g.spec.Decoder.MaxPositions-beyond, 2))
	if g.card {
		return g.reserveCard(ctx)
	}
	return g.run.reserve(g.o.Slots, g.length+beyond)
}

// settleSizes turns what is asked for into what the model and the memory allow.
func (g *Generator) settleSizes(o Options) (err error) {
	if o.Session, err = o.Session.WithDefaults(); err != nil {
		return err
	}
	g.notes = append(g.notes, o.Session.Notes...)
	if g.card, err = g.settleDevice(&o.Session, o.bound); err != nil {
		return err
	}
	if o.Slots <= 0 {
		o.Slots = DefaultSlots
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	if o.chunk <= 0 {
		o.chunk = chunkTokens
	}
	g.length = max(g.spec.Decoder.MaxPositions, 2)
	if o.MaxLength > 0 {
		g.length = min(g.length, o.MaxLength)
	}
	if g.card {
		err = g.fitCard(&o)
	} else {
		err = g.fitProcessor(&o)
	}
	if err != nil {
		return err
	}
	if d := g.spec.Decoder; g.length < d.MaxPositions {
		g.notes = append(g.notes, fmt.Sprintf("prompt and text together are at most %d tokens here; the model has %d positions", g.length, d.MaxPositions))
	}
	g.o = o
	return nil
}

// settleDevice tells whether the cache will lie in memory of a device, with a graph that was made for that.
func (g *Generator) settleDevice(o *session.Options, bound bool) (card bool, err error) {
	forCard := g.spec.Decoder.Layout == models.CardLayout
	switch {
	case forCard || o.Device == "cpu":
	case o.Auto:
		o.Device = "cpu"
		g.notes = append(g.notes, "device auto: generation runs on the processor, for which "+g.spec.Graph+" is")
	default:
		return false, fmt.Errorf("model %s on %s: %s is a graph for processors; textmill models import --device cuda makes one for cards",
			g.spec.Name, o.Device, g.spec.Graph)
	}
	return forCard || bound, nil
}

// fitProcessor settles slots and tokens of a cache that takes memory as texts grow.
func (g *Generator) fitProcessor(o *Options) error {
	o.Slots = max(o.Slots, 2)
	bytes, state := g.spec.Decoder.KVBytes(), 2*g.spec.Decoder.StateBytes()
	room := func() int64 { return max(o.Memory-int64(o.Slots)*state, 0) / bytes }
	for o.Slots > 2 && room() < int64(2*o.Slots*keptTokens) {
		o.Slots /= 2
	}
	total := room() - int64(o.Slots*keptTokens)
	if total < keptTokens {
		return fmt.Errorf("model %s: %d MiB of memory hold only %d tokens of KV cache; give it at least %d MiB",
			g.spec.Name, o.Memory>>20, o.Memory/bytes, (3*int64(keptTokens)*bytes+2*state)>>20+1)
	}
	g.tokens = int(min(total, int64(o.Slots)*int64(g.length)))
	g.length = min(g.length, g.tokens)
	return nil
}

// leastLength is how long texts may be at least before a card's cache has fewer slots.
const leastLength = 512

// fitCard settles slots and tokens of a cache that is taken whole, as many tokens for each slot.
func (g *Generator) fitCard(o *Options) error {
	bytes := g.spec.Decoder.KVBytes()
	total, asked := int(min(o.Memory/bytes, 1<<40)), o.Slots
	least := min(g.length, leastLength)
	for o.Slots > 1 && total/o.Slots < least {
		o.Slots /= 2
	}
	if total/o.Slots < least {
		return fmt.Errorf("model %s: %d MiB of memory hold only %d tokens of KV cache; give it at least %d MiB",
			g.spec.Name, o.Memory>>20, total, (int64(least)*bytes>>20)+1)
	}
	if o.Slots < asked {
		g.notes = append(g.notes, fmt.Sprintf("decodes are %d wide, not %d: %d MiB of memory hold %d tokens of KV cache", o.Slots,
			asked, o.Memory>>20, total))
	}
	g.length = min(g.length, total/o.Slots)
	g.tokens = o.Slots * g.length
	return nil
}
