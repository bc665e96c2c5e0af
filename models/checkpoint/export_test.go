package checkpoint

import (
	"context"
	"errors"
	"path/filepath"

	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// WriteCard writes the graph for a card of an encoder's checkpoint into dir.
func WriteCard(ctx context.Context, source, dir string, p weights.Precision, c encoder.Card) (err error) {
	src, err := openDirectory(source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	from, err := adapt(src, "")
	if err != nil {
		return err
	}
	config, err := encoder.ParseConfig(src.config())
	if err != nil {
		return err
	}
	data, err := onnxgraph.CreateData(filepath.Join(dir, dataName))
	if err != nil {
		return err
	}
	m, err := encoder.Store(ctx, config, &weights.Store{Source: from, Data: data, Precision: p})
	if err = errors.Join(err, data.Close()); err != nil {
		return err
	}
	a := weights.Floats
	if p != weights.FP32 {
		a = weights.Integers
	}
	return m.CardGraph(a, c).WriteFile(filepath.Join(dir, "card.onnx"))
}
