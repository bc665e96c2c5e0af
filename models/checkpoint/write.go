package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"

	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// writeGraph writes the one graph of a model that embeds.
func writeGraph(dir string, made func(weights.Arithmetic) *onnxgraph.Graph, p weights.Precision) error {
	a := weights.Floats
	if p == weights.Q8 || p == weights.Q4 {
		a = weights.Integers
	}
	return made(a).WriteFile(filepath.Join(dir, "onnx", "model.onnx"))
}

// writeDecoder writes the graphs and what they are. Precisions that were asked for speed run with 8-bit activations;
// the checkpoint's own blocks can also be run exactly.
func writeDecoder(dir string, m *decoder.Model, p weights.Precision) error {
	exact := models.DecoderGraph{File: "onnx/model.onnx", Activations: "float32", MinRows: m.MinRows()}
	fast := models.DecoderGraph{File: "onnx/model_int8.onnx", Activations: "int8", MinRows: 1}
	graphs := []models.DecoderGraph{exact}
	switch {
	case p == weights.AsIs && m.Quantized():
		graphs = append(graphs, fast)
	case p == weights.Q8 || p == weights.Q4:
		fast.File = exact.File
		graphs = []models.DecoderGraph{fast}
	}
	for _, g := range graphs {
		a := weights.Floats
		if g.Activations == "int8" {
			a = weights.Integers
		}
		if err := m.Graph(a).WriteFile(filepath.Join(dir, filepath.FromSlash(g.File))); err != nil {
			return err
		}
	}
	d := models.Decoder{
		Layout: models.SlotsLayout, Layers: m.Layers, Heads: m.Heads, KVHeads: m.KVHeads, HeadSize: m.HeadSize,
		HiddenSize: m.HiddenSize,
		VocabSize:  m.VocabSize, MaxPositions: m.MaxPositions, CacheType: "float32", Precision: string(p),
		Embedding: table(m.Embedding), Graphs: graphs, OriginalPositions: m.ShortPositions(),
	}
	for _, s := range m.States() {
		d.States = append(d.States, models.State{Name: s.Name, Dims: s.Dims})
	}
	for i := range m.Layers {
		if len(d.States) > 0 && m.Attends(i) {
			d.CacheLayers = append(d.CacheLayers, i)
		}
	}
	if d.OriginalPositions > 0 || len(d.States) > 0 {
		d.Layout = models.MoreLayout
	}
	return writeJSON(filepath.Join(dir, models.DecoderName), d)
}

func table(m *weights.Matrix) models.TokenTable {
	if !m.Quantized() {
		return models.TokenTable{Tensor: m.Name, Bits: 32}
	}
	t := models.TokenTable{Tensor: m.TableName(), Bits: m.Form.Bits, BlockSize: m.Form.Size, Zero: 8,
		Scale: m.ScaleName()}
	if m.Form.Bits == 8 {
		t.Zero = 128
	}
	if !m.Form.Signed {
		t.Low = m.LowName()
	}
	return t
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
