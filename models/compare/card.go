package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"textmill/models"
	"textmill/models/internal/card"
	"textmill/models/internal/graph"
	"textmill/models/internal/onnx"
	"textmill/models/session"
)

// onCard is a graph for a card, on a card or by the same way on the processor.
type onCard struct{ session *card.Session }

// OpenCard loads the graph for a card that spec runs, on the device of o: cpu, or cuda:N.
func OpenCard(spec *models.Spec, o session.Options) (*Scorer, error) {
	if spec.Decoder == nil || spec.Decoder.Layout != models.CardLayout {
		return nil, fmt.Errorf("%w: %s of %s is none for a card", ErrGraph, spec.Graph, spec.Name)
	}
	o, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := onnx.Load(o.Library); err != nil {
		return nil, err
	}
	s, err := card.Open(card.Options{Graph: spec.GraphPath(), Device: o.Device, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s on %s: %w", ErrGraph, spec.Graph, o.Device, err)
	}
	return &Scorer{d: spec.Decoder, card: &onCard{s}}, nil
}

var cacheKinds = map[string]card.Kind{"float32": graph.Float32, "float16": graph.Float16, "bfloat16": graph.BFloat16}

// score gives the logits behind each token, as Score does: a prompt into empty caches.
func (c *onCard) score(ctx context.Context, d *models.Decoder, ids []int32) (_ []float32, err error) {
	n := int64(len(ids))
	b, err := c.session.Bind()
	if err != nil {
		return nil, err
	}
	var tensors []*card.Tensor
	defer func() {
		err = errors.Join(err, b.Close())
		for _, t := range tensors {
			err = errors.Join(err, t.Close())
		}
	}()
	keep := func(t *card.Tensor, e error) *card.Tensor {
		if err = errors.Join(err, e); e == nil {
			tensors = append(tensors, t)
		}
		return t
	}
	wide := keep(c.session.Host(graph.Int64, 1, n))
	lens, total := keep(c.session.Host(graph.Int32, 1)), keep(c.session.Host(graph.Int32, 1))
	positions := keep(c.session.Host(graph.Int64, n))
	logits := keep(c.session.Host(graph.Float32, n, int64(d.VocabSize)))
	token := keep(c.session.Host(graph.Int64, n))
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		wide.Int64s()[i], positions.Int64s()[i] = int64(id), int64(i)
	}
	lens.Int32s()[0], total.Int32s()[0] = int32(n-1), int32(n)
	err = errors.Join(b.In("input_ids", wide), b.In("seqlens_k", lens), b.In("total_sequence_length", total),
		b.In("logits_positions", positions), b.Out("logits", logits), b.Out("token", token))
	for i := range d.Layers {
		for _, part := range []string{"key", "value"} {
			t := keep(c.session.Device(cacheKinds[d.CacheType], 1, int64(d.KVHeads), n, int64(d.HeadSize)))
			if err != nil {
				return nil, err
			}
			err = errors.Join(b.In(fmt.Sprintf("past_key_values.%d.%s", i, part), t),
				b.Out(fmt.Sprintf("present.%d.%s", i, part), t))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := b.Run(ctx, -1); err != nil {
		return nil, err
	}
	return slices.Clone(logits.Floats()), nil
}
