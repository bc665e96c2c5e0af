package generate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/internal/graph"
	"textmill/models/internal/half"
	"textmill/models/internal/onnx"
	"textmill/models/session"
)

// exported runs decoders as exporters make them: each run gets the cache of one text and writes it anew, one token
// longer, so that texts run one after the other. What a text gets never depends on the others.
type exported struct {
	d       *models.Decoder
	prompts session.Shape // of runs of prefill
	inputs  []string
	session *onnx.Session
	slots   []growing
	elem    ort.TensorElementDataType
	bytes   int // of an element
	out     graph.Value
	logits  []float32 // by slot
	all     []byte    // what the graph gives, for every position
}

// growing is the cache of one slot: what the next run reads, and where it writes.
type growing struct{ past, present [][]byte }

func openExported(spec *models.Spec, o Options) (*exported, error) {
	d := spec.Decoder
	e := &exported{d: d, prompts: session.Any, elem: ort.TensorElementDataTypeFloat, bytes: 4}
	if d.CacheType == "float16" {
		e.elem, e.bytes = ort.TensorElementDataTypeFloat16, 2
	}
	for _, name := range spec.Inputs {
		switch name {
		case "input_ids", "attention_mask", "position_ids", "use_cache_branch":
			e.inputs = append(e.inputs, name)
			continue
		}
		if !strings.HasPrefix(name, "past_key_values.") {
			return nil, fmt.Errorf("%w: %s has an input %q that textmill does not know how to feed", models.ErrBundle,
				spec.Graph, name)
		}
	}
	if !slices.Contains(e.inputs, "input_ids") {
		return nil, fmt.Errorf("%w: %s has no input input_ids", models.ErrBundle, spec.Graph)
	}
	inputs, outputs := slices.Clone(e.inputs), []string{"logits"}
	for i := range d.Layers {
		for _, part := range []string{"key", "value"} {
			inputs = append(inputs, fmt.Sprintf("past_key_values.%d.%s", i, part))
			outputs = append(outputs, fmt.Sprintf("present.%d.%s", i, part))
		}
	}
	g, err := graph.Read(spec.GraphPath())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", models.ErrBundle, err)
	}
	i := slices.IndexFunc(g.Outputs, func(v graph.Value) bool { return v.Name == "logits" })
	if i < 0 || len(g.Outputs[i].Dims) != 3 || g.Outputs[i].Type != graph.Float32 && g.Outputs[i].Type != graph.Float16 {
		return nil, fmt.Errorf("%w: %s has no output logits of [batch, positions, vocab_size] in float32 or float16",
			models.ErrBundle, spec.Graph)
	}
	e.out = g.Outputs[i]
	if e.out.Dims[2] > 0 && int(e.out.Dims[2]) != d.VocabSize {
		return nil, fmt.Errorf("%w: %s scores %d tokens, config.json says vocab_size is %d", models.ErrBundle, spec.Graph,
			e.out.Dims[2], d.VocabSize)
	}
	e.session, err = onnx.Open(spec.GraphPath(), inputs, outputs, onnx.Options{Threads: o.Session.Threads,
		Spin: o.Session.Threads > 1})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", models.ErrBundle, spec.GraphPath(), err)
	}
	return e, nil
}

// reserve makes slots, whose room grows with what they hold.
func (e *exported) reserve(slots, _ int) error {
	e.slots = make([]growing, slots)
	for i := range e.slots {
		e.slots[i] = growing{make([][]byte, 2*e.d.Layers), make([][]byte, 2*e.d.Layers)}
	}
	e.logits = make([]float32, slots*e.d.VocabSize)
	return nil
}

func (e *exported) fill(s session.Shape) bool {
	if s != session.Any && e.lastOnly() {
		return false
	}
	e.prompts = s
	return true
}

// lastOnly tells that the graph scores no position but a run's last.
func (e *exported) lastOnly() bool { return e.out.Dims[1] == 1 }

func (e *exported) prefill(ctx context.Context, slot, used int, ids []int32, _ bool) (scored, error) {
	out := e.logits[:e.d.VocabSize]
	filled := ids
	for n := e.prompts.Fit(len(ids)); len(filled) < n; { // what comes later changes nothing before it
		filled = append(filled[:len(filled):len(filled)], ids[0])
	}
	return scored{logits: out}, e.one(ctx, slot, used, filled, len(ids)-1, out)
}

func (e *exported) decode(ctx context.Context, first int, rows []row) ([]scored, error) {
	out := make([]scored, len(rows))
	for i, r := range rows {
		out[i].logits = e.logits[i*e.d.VocabSize : (i+1)*e.d.VocabSize]
		if r.idle {
			continue
		}
		if err := e.one(ctx, first+i, r.used, []int32{r.id}, 0, out[i].logits); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// one runs new tokens of one slot and gives the logits of one of them.
func (e *exported) one(ctx context.Context, slot, used int, ids []int32, scored int, logits []float32) (err error) {
	var inputs, outputs []ort.Value
	defer func() { err = errors.Join(err, onnx.Destroy(append(inputs, outputs...)...)) }()
	for _, name := range e.inputs {
		v, err := e.feed(name, used, ids)
		if err != nil {
			return err
		}
		inputs = append(inputs, v)
	}
	positions := len(ids)
	if e.lastOnly() {
		positions, scored = 1, 0
	}
	all, err := e.scores(positions)
	if err != nil {
		return err
	}
	outputs = append(outputs, all)
	s := &e.slots[slot]
	if held := len(s.past[0]) / (e.d.KVHeads * e.d.HeadSize * e.bytes); held > used {
		// of an ended text, of what filled up a run, or of a run that failed beside this one and is repeated
		if err := e.move(slot, slot, used); err != nil {
			return err
		}
	}
	for i := range s.past {
		past, err := e.tensor(&s.past[i], used)
		if err != nil {
			return err
		}
		inputs = append(inputs, past)
		present, err := e.tensor(&s.present[i], used+len(ids))
		if err != nil {
			return err
		}
		outputs = append(outputs, present)
	}
	if err := onnx.Run(ctx, e.session, inputs, outputs); err != nil {
		return err
	}
	e.read(scored, logits)
	s.past, s.present = s.present, s.past
	return nil
}

// scores is the tensor that the graph writes logits into, over memory that is kept.
func (e *exported) scores(positions int) (ort.Value, error) {
	elem, size := ort.TensorElementDataType(ort.TensorElementDataTypeFloat), 4
	if e.out.Type == graph.Float16 {
		elem, size = ort.TensorElementDataTypeFloat16, 2
	}
	n := positions * e.d.VocabSize * size
	e.all = slices.Grow(e.all[:0], n)[:n]
	return ort.NewCustomDataTensor([]int64{1, int64(positions), int64(e.d.VocabSize)}, e.all, elem)
}

// read gives the logits of a position.
func (e *exported) read(position int, logits []float32) {
	if e.out.Type == graph.Float16 {
		half.Widen(logits, e.all[2*position*e.d.VocabSize:])
		return
	}
	data := e.all[4*position*e.d.VocabSize:]
	for i := range logits {
		logits[i] = math.Float32frombits(binary.NativeEndian.Uint32(data[4*i:]))
	}
}

// tensor is a cache of some tokens over memory that grows with it.
func (e *exported) tensor(memory *[]byte, tokens int) (ort.Value, error) {
	n := max(e.d.KVHeads*tokens*e.d.HeadSize*e.bytes, 1)
	if cap(*memory) < n {
		*memory = append(make([]byte, 0, n+n/2), (*memory)...)
	}
	*memory = (*memory)[:n]
	return ort.NewCustomDataTensor([]int64{1, int64(e.d.KVHeads), int64(tokens), int64(e.d.HeadSize)}, *memory, e.elem)
}

func (e *exported) feed(name string, used int, ids []int32) (ort.Value, error) {
	n := len(ids)
	line := func(length int, value func(int) int64) (ort.Value, error) {
		data := make([]int64, length)
		for i := range data {
			data[i] = value(i)
		}
		return ort.NewTensor([]int64{1, int64(length)}, data)
	}
	switch name {
	case "attention_mask":
		return line(used+n, func(int) int64 { return 1 })
	case "position_ids":
		return line(n, func(i int) int64 { return int64(used + i) })
	case "use_cache_branch":
		data := []byte{0}
		if used > 0 {
			data[0] = 1
		}
		return ort.NewCustomDataTensor([]int64{1}, data, ort.TensorElementDataTypeBool)
	}
	return line(n, func(i int) int64 { return int64(ids[i]) })
}

func (e *exported) move(to, from, used int) error {
	for i, memory := range e.slots[from].past {
		line, held := e.d.HeadSize*e.bytes, len(memory)/(e.d.KVHeads*e.d.HeadSize*e.bytes)
		fresh := make([]byte, 0, e.d.KVHeads*used*line)
		for h := range e.d.KVHeads {
			fresh = append(fresh, memory[h*held*line:][:used*line]...)
		}
		e.slots[to].past[i] = fresh
	}
	return nil
}

func (e *exported) same(a, b, from, to int) bool {
	line := e.d.HeadSize * e.bytes
	for i := range e.slots[a].past {
		x, y := e.slots[a].past[i], e.slots[b].past[i]
		for h := range e.d.KVHeads {
			at, bt := h*len(x)/e.d.KVHeads, h*len(y)/e.d.KVHeads
			if !bytes.Equal(x[at+from*line:at+to*line], y[bt+from*line:bt+to*line]) {
				return false
			}
		}
	}
	return true
}

func (e *exported) release(slot, kept int) error {
	for i := range e.slots[slot].present {
		e.slots[slot].present[i] = nil
	}
	return e.move(slot, slot, kept)
}

func (e *exported) close() error { return e.session.Destroy() }
