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
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/compare"
	"textmill/models/internal/onnx"
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
	g = models.CardGraph{Precision: models.FP16, Peak: float64(max(slices.Max(p[0]), slices.Max(p[len(p)-1])))}
	samples := fmt.Sprintf("values of samples are up to %.4g (fp16 is safe to %.4g)", g.Peak, most)
	if m.encoder != nil {
		for i, wide := range encoder.Wide(p[0]) {
			if wide {
				g.WideLayers = append(g.WideLayers, i)
			}
		}
		if g.Why = samples + ": fp16"; len(g.WideLayers) > 0 {
			g.Why += fmt.Sprintf(", layers %v in fp32", g.WideLayers)
		}
		return g, nil
	}
	inner := slices.Max(p[1])
	switch g.WideStream = slices.Max(p[0]) > most; {
	case !(inner <= most) && o.Precision == models.FP16:
		return g, fmt.Errorf("%w: values within layers are up to %.4g in samples, which fp16 does not hold safely (%.4g); "+
			"ask for bf16", ErrUnsupported, inner, most)
	case !(inner <= most):
		g.Precision, g.WideStream, g.Why = models.BF16, false, samples+", also within layers: bf16"
	case g.WideStream:
		g.Why = fmt.Sprintf("%s, within layers up to %.4g: fp16, the stream between layers in fp32", samples, inner)
	default:
		g.Why = samples + ": fp16"
	}
	return g, nil
}

// load makes the library known to the process, if none is yet.
func (o CardOptions) load() error {
	library := cmp.Or(o.Library, onnx.Loaded())
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
	samples, err := compare.Texts(t, min(spec.MaxLength, 512))
	vocab := 0
	if m.encoder != nil {
		vocab = m.encoder.VocabSize
	} else {
		vocab = m.decoder.VocabSize
	}
	row := make([]int32, min(spec.MaxLength, 256))
	for i := range row {
		row[i] = int32(i * vocab / len(row))
	}
	return append(samples, row), err
}

// peaksName is a graph that is there while it runs.
const peaksName = ".peaks.onnx"

// peaks gives the greatest values of sample texts by layer: of a decoder those of the stream and those within layers.
func (o CardOptions) peaks(ctx context.Context, spec *models.Spec, m built) (_ [][]float32, err error) {
	if err := o.load(); err != nil {
		return nil, err
	}
	samples, err := m.samples(spec)
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
	for _, ids := range samples {
		if err := m.measure(ctx, s, spec, ids, greatest); err != nil {
			return nil, err
		}
	}
	return greatest, nil
}
