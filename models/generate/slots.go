package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/internal/onnx"
	"textmill/models/sample"
	"textmill/models/session"
)

// A runner scores tokens that follow what its slots hold: it knows where the KV cache lies, and how a run is made.
type runner interface {
	// prefill puts part of a prompt into a slot that holds used tokens, and scores what may follow its last token. The
	// scores are valid until the next call; candidates says whether they are to hold any.
	prefill(ctx context.Context, slot, used int, ids []int32, candidates bool) (scored, error)
	// decode puts one token into each of the slots from first on and gives the scores of each, valid until the next call.
	decode(ctx context.Context, first int, rows []row) ([]scored, error)
	// move puts a slot's first used tokens into another, or into the same one without the rest.
	move(to, from, used int) error
	// release gives back the memory of what a slot holds beyond its first tokens.
	release(slot, kept int) error
	// reserve gives the slots room for so many tokens each. What they held is lost.
	reserve(slots, length int) error
	close() error
}

// A probed runner's runs may have any size; which of them come to the same bits is found by a probe.
type probed interface {
	runner
	// fill has runs of prefill filled up to a Shape; false means that this graph's cannot be.
	fill(s session.Shape) bool
	// same tells whether two slots hold the same bits for a range of tokens.
	same(a, b, from, to int) bool
}

// A beginner is a runner whose texts are computed in another way from their first token on when they are long.
type beginner interface {
	begin(slot int, long bool)
}

// A row is what a slot adds in a decode: one token behind the used ones that it holds. The logits of an idle row mean
// nothing, and the used tokens of its slot are left as they are.
type row struct {
	used       int
	id         int32
	idle       bool
	candidates bool // are asked for
}

// scored is what a run says of the token that comes next: all logits, or what a device chose among them, which keeps
// them.
type scored struct {
	logits []float32 // nil where they are elsewhere
	best   sample.Best
	fetch  func() ([]float32, error)
}

// all gives every logit.
func (s *scored) all() (_ []float32, err error) {
	if s.logits == nil {
		s.logits, err = s.fetch()
	}
	return s.logits, err
}

// slotted runs graphs of textmill's own layout, which package checkpoint specifies.
type slotted struct {
	d       *models.Decoder
	prompts session.Shape // of runs of prefill
	session *onnx.Session
	cache   *cache
	states  *states
	views   map[[2]int][]ort.Value // of the cache, by first slot and number of slots
	logits  []float32
	ids     []int64
	lens    []int32
	starts  []int64 // by slot: which row of the table of rotations its text begins at
}

func openSlotted(spec *models.Spec, o Options) (_ *slotted, err error) {
	d := spec.Decoder
	s := &slotted{d: d, prompts: session.Any}
	inputs, outputs := d.Feeds()
	err = onnx.HugePages(func() (err error) {
		s.session, err = onnx.Open(spec.GraphPath(), inputs, outputs, onnx.Options{Threads: o.Session.Threads,
			Spin: o.Session.Threads > 1})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", models.ErrBundle, spec.GraphPath(), err)
	}
	return s, nil
}

func (s *slotted) reserve(slots, length int) (err error) {
	if err := s.free(); err != nil {
		return err
	}
	s.views, s.logits = map[[2]int][]ort.Value{}, make([]float32, slots*s.d.VocabSize)
	s.starts = make([]int64, slots)
	if s.states, err = newStates(s.d, slots); err != nil {
		return err
	}
	if s.cache, err = newCache(s.d, slots, length); err != nil {
		return errors.Join(err, s.states.close())
	}
	return nil
}

// free gives the cache back.
func (s *slotted) free() (err error) {
	for _, v := range s.views {
		err = errors.Join(err, onnx.Destroy(v...))
	}
	if s.cache != nil {
		err = errors.Join(err, s.cache.close(), s.states.close())
	}
	s.views, s.cache = nil, nil
	return err
}

// fill refuses where what fills a run up would come into states.
func (s *slotted) fill(shape session.Shape) bool {
	if len(s.d.States) > 0 {
		return false
	}
	s.prompts = shape
	return true
}

func (s *slotted) same(a, b, from, to int) bool { return s.cache.same(a, b, from, to) }

func (s *slotted) prefill(ctx context.Context, slot, used int, ids []int32, _ bool) (scored, error) {
	s.ids = s.ids[:0]
	for _, id := range ids {
		s.ids = append(s.ids, int64(id))
	}
	// what comes later changes nothing before it, and the slot's next token takes its place
	for n := s.prompts.Fit(len(ids)); len(s.ids) < n; {
		s.ids = append(s.ids, s.ids[0])
	}
	s.lens = append(s.lens[:0], int32(used+len(s.ids)-1))
	if err := s.run(ctx, slot, 1, len(s.ids), []int64{int64(len(ids) - 1)}); err != nil {
		return scored{}, err
	}
	s.states.keep(slot)
	return scored{logits: s.logits[:s.d.VocabSize]}, nil
}

func (s *slotted) decode(ctx context.Context, first int, rows []row) ([]scored, error) {
	s.ids, s.lens = s.ids[:0], s.lens[:0]
	positions := make([]int64, len(rows))
	for i, r := range rows {
		s.ids = append(s.ids, int64(r.id))
		s.lens = append(s.lens, int32(r.used))
		positions[i] = int64(i)
	}
	if err := s.run(ctx, first, len(rows), 1, positions); err != nil {
		return nil, err
	}
	out := make([]scored, len(rows))
	for i := range out {
		out[i].logits = s.logits[i*s.d.VocabSize : (i+1)*s.d.VocabSize]
		if !rows[i].idle {
			s.states.keep(first + i)
		}
	}
	return out, nil
}

// run feeds s.ids, [rows, width], to the slots from first on, which then hold s.lens + 1 tokens.
func (s *slotted) run(ctx context.Context, first, rows, width int, positions []int64) (err error) {
	total := int32(0)
	for _, n := range s.lens {
		total = max(total, n+1)
	}
	caches, err := s.view(first, rows)
	if err != nil {
		return err
	}
	past, future, err := s.states.tensors(first, rows)
	if err != nil {
		return err
	}
	var own []ort.Value
	defer func() { err = errors.Join(err, onnx.Destroy(own...)) }()
	add := func(v ort.Value, e error) {
		if e == nil {
			own = append(own, v)
		}
		err = errors.Join(err, e)
	}
	add(tensor([]int64{int64(rows), int64(width)}, s.ids))
	add(tensor([]int64{int64(rows)}, s.lens))
	add(tensor([]int64{1}, []int32{total}))
	add(tensor([]int64{int64(len(positions))}, positions))
	if s.d.OriginalPositions > 0 {
		add(tensor([]int64{int64(rows)}, s.starts[first:first+rows]))
	}
	add(tensor([]int64{int64(len(positions)), int64(s.d.VocabSize)}, s.logits[:len(positions)*s.d.VocabSize]))
	if err != nil {
		return err
	}
	last := len(own) - 1
	inputs, outputs := slices.Concat(own[:last], caches, past), slices.Concat(own[last:], caches, future)
	return onnx.Run(ctx, s.session, inputs, outputs)
}

func tensor[T ort.TensorData](dims []int64, data []T) (ort.Value, error) {
	return ort.NewTensor(dims, data)
}

// view is the tensors of some slots, made once: past and present are the same memory.
func (s *slotted) view(first, n int) ([]ort.Value, error) {
	key := [2]int{first, n}
	if v, ok := s.views[key]; ok {
		return v, nil
	}
	var values []ort.Value
	dims := []int64{int64(n), int64(s.cache.heads), int64(s.cache.length), int64(s.cache.size)}
	for layer := range s.cache.layers {
		v, err := tensor(dims, s.cache.view(layer, first, n))
		if err != nil {
			return nil, errors.Join(err, onnx.Destroy(values...))
		}
		values = append(values, v)
	}
	s.views[key] = values
	return values, nil
}

func (s *slotted) move(to, from, used int) error {
	if to != from {
		s.cache.copy(to, from, used)
		s.states.move(to, from)
		s.starts[to] = s.starts[from]
	}
	return nil
}

// begin says how a slot's text is rotated from now on, when it holds nothing of it yet.
func (s *slotted) begin(slot int, long bool) {
	if s.starts[slot] = 0; long {
		s.starts[slot] = int64(s.d.OriginalPositions)
	}
}

func (s *slotted) release(slot, kept int) error { return s.cache.release(slot, kept) }

func (s *slotted) close() error { return errors.Join(s.free(), s.session.Destroy()) }
