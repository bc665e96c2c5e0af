package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/onnx"
	"textmill/models/internal/samples"
	"textmill/tokenize"
)

// most is how large values of samples may be for fp16, whose greatest number is 65,504: other texts may come to more.
const most = 65504.0 / 8

// settle decides what the graph computes in, by the values that samples come to on the processor.
func (o CardOptions) settle(ctx context.Context, spec *models.Spec, m built) (g models.CardGraph, err error) {
	switch {
	case o.Precision != "" && o.Precision != models.FP16 && o.Precision != models.BF16:
		return g, fmt.Errorf("%w: precision %q; on a card it is %s or %s", ErrUnsupported, o.Precision, models.FP16,
			models.BF16)
	case o.Precision == models.BF16 && m.encoder != nil:
		return g, fmt.Errorf("%w: the attention of packed texts knows no bf16; fp16 leaves layers that overflow it in fp32",
			ErrUnsupported)
	case o.Precision == models.BF16:
		return models.CardGraph{Precision: models.BF16, Why: "bf16 was asked for, whose range is that of fp32"}, nil
	}
	p, err := o.peaks(ctx, spec, m)
	if err != nil {
		return g, fmt.Errorf("measure the values of sample texts: %w", err)
	}
	g = models.CardGraph{Precision: models.FP16}
	for _, peaks := range p {
		g.Peak = max(g.Peak, float64(slices.Max(peaks)))
	}
	g.Why = fmt.Sprintf("values of samples are up to %.4g (fp16 is safe to %.4g): fp16", g.Peak, most)
	if m.encoder != nil {
		if g.WideLayers = over(p[0]); len(g.WideLayers) > 0 {
			g.Why += fmt.Sprintf(", layers %v in fp32", g.WideLayers)
		}
		return g, nil
	}
	g.WideLayers, g.WideStream = over(p[1]), len(over(p[0]))+len(over(p[1])) > 0
	if g.WideStream {
		g.Why += ", the stream between layers in fp32"
	}
	if len(g.WideLayers) > 0 {
		g.Why += fmt.Sprintf(", also the MLPs of layers %v", g.WideLayers)
	}
	if other := over(p[2]); len(other) > 0 {
		why := fmt.Sprintf("values of samples are up to %.4g beside attention (fp16 is safe to %.4g)", slices.Max(p[2]), most)
		if o.Precision == models.FP16 {
			return g, fmt.Errorf("%w: %s; ask for bf16", ErrUnsupported, why)
		}
		return models.CardGraph{Precision: models.BF16, Peak: g.Peak, Why: why + ": bf16"}, nil
	}
	return g, nil
}

// over are the layers whose values may overflow fp16, also those that are no numbers.
func over(peaks []float32) (layers []int) {
	for i, p := range peaks {
		if !(p <= most) {
			layers = append(layers, i)
		}
	}
	return layers
}

// load makes the library known to the process, if none is yet.
func (o CardOptions) load() error {
	library := cmp.Or(onnx.Loaded(), o.Library)
	if library == "" {
		home, err := places.Home()
		if err != nil {
			return err
		}
		library = places.Library(home)
	}
	return onnx.Load(library)
}

// samples are texts, and a row of tokens from all over the vocabulary.
func (m built) samples(spec *models.Spec) ([][]int32, error) {
	t, err := spec.Tokenizer()
	if err != nil {
		return nil, err
	}
	var all [][]int32
	for _, text := range samples.Texts {
		e, err := t.Encode(text, tokenize.Options{})
		if err != nil {
			return nil, err
		}
		if len(e.IDs) > 0 {
			all = append(all, e.IDs[:min(len(e.IDs), spec.MaxLength)])
		}
	}
	vocab := 0
	if m.encoder != nil {
		vocab = m.encoder.VocabSize
	} else {
		vocab = m.decoder.VocabSize
	}
	return append(all, samples.Spread(vocab, min(spec.MaxLength, 256))), nil
}

// peaksName is a graph that is there while it runs.
const peaksName = ".peaks.onnx"

// peaks gives the greatest values of sample texts by layer: of a decoder those of the stream and those within layers.
func (o CardOptions) peaks(ctx context.Context, spec *models.Spec, m built) (_ [][]float32, err error) {
	if err := o.load(); err != nil {
		return nil, err
	}
	texts, err := m.samples(spec)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(filepath.Dir(spec.GraphPath()), peaksName)
	g, inputs, outputs := m.peaks(spec)
	if err := g.WriteFile(file); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(file)) }()
	s, err := onnx.Open(file, inputs, outputs, onnx.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Destroy()) }()
	greatest := make([][]float32, len(outputs))
	for _, ids := range texts {
		if err := m.measure(ctx, s, spec, ids, greatest); err != nil {
			return nil, err
		}
	}
	return greatest, nil
}
