package decoder

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// reminders are the sizes of what layers are told anew of each token, and of the vectors that come of it all.
type reminders struct {
	ToldSize     int `json:"hidden_size_per_layer_input"`
	EmbeddingDim int `json:"embedding_dim"`
}

// told makes what all layers are told of a token out of its embedding: normed rows of ToldSize, one for each layer.
type told struct {
	matrix *weights.Matrix
	norm   onnxgraph.Stored
}

// A reminder is what a layer does with it behind its MLP: the stream gates it, and it joins the stream through a norm.
// Then the stream is multiplied with a number.
type reminder struct {
	gate, back   *weights.Matrix
	norm, factor onnxgraph.Stored
}

func (c *Config) checkReminders() error {
	for key, n := range map[string]int{"hidden_size_per_layer_input": c.ToldSize, "embedding_dim": c.EmbeddingDim} {
		if c.family.reminders && n < 1 || c.family.reminders && n > maxSize {
			return fmt.Errorf("%w: %s is %d", ErrUnsupported, key, n)
		}
	}
	return nil
}

func (m *Model) storeReminders(ctx context.Context, s *weights.Store) (err error) {
	if !m.family.reminders {
		return nil
	}
	m.told = &told{}
	const matrix, norm = "model.ple.per_layer_model_projection.weight", "model.ple.per_layer_projection_norm.weight"
	if m.told.matrix, err = s.Matrix(ctx, matrix, []string{matrix}, m.HiddenSize, m.Layers*m.ToldSize); err != nil {
		return err
	}
	if m.told.norm, err = m.storeNorm(s, norm, m.ToldSize); err != nil {
		return err
	}
	const projection = "model.embedding_projection.weight"
	m.projection, err = s.Matrix(ctx, projection, []string{projection}, m.HiddenSize, m.EmbeddingDim)
	return err
}

func (c *Config) storeReminder(ctx context.Context, s *weights.Store, at string) (_ *reminder, err error) {
	r := &reminder{}
	gate, back := at+"ple_block.per_layer_input_gate.weight", at+"ple_block.per_layer_projection.weight"
	if r.gate, err = s.Matrix(ctx, gate, []string{gate}, c.HiddenSize, c.ToldSize); err != nil {
		return nil, err
	}
	if r.back, err = s.Matrix(ctx, back, []string{back}, c.ToldSize, c.HiddenSize); err != nil {
		return nil, err
	}
	if r.norm, err = c.storeNorm(s, at+"ple_block.post_per_layer_input_norm.weight", c.HiddenSize); err != nil {
		return nil, err
	}
	r.factor, err = s.StoreVector(at+"layer_scalar", []string{at + "layer_scalar"}, 1)
	return r, err
}

// storeOnes stores the weights of a norm that has none.
func storeOnes(s *weights.Store, name string, n int) (*onnxgraph.Stored, error) {
	v, err := s.StoreFloats(name, []int{n}, func(w io.Writer) error {
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		return binary.Write(w, binary.LittleEndian, ones)
	})
	return &v, err
}

// tell gives [tokens, layers, ToldSize] of the embeddings.
func (b *builder) tell(embeddings string) string {
	m := b.m
	x := b.times(b.Linear(embeddings, m.told.matrix, ""), "told_scale", 1/math.Sqrt(float64(m.HiddenSize)))
	return b.Reshape(b.rms(b.Reshape(x, -1, m.ToldSize), m.told.norm), -1, m.Layers, m.ToldSize)
}

// remind gives the stream that layer i leaves.
func (b *builder) remind(i int, r *reminder, x, added string) string {
	x, _ = b.norm(x, added, nil)
	gate := activations[b.m.activation()](b, b.Linear(x, r.gate, ""))
	told := b.Node(onnxgraph.ONNX("Gather"), []string{b.told, b.Scalar(fmt.Sprintf("layer_%d", i), int64(i))},
		onnxgraph.Int("axis", 1))
	back := b.Linear(b.Node(onnxgraph.ONNX("Mul"), []string{gate, told}), r.back, "")
	x = b.Node(onnxgraph.ONNX("Add"), []string{x, b.rms(back, r.norm)})
	return b.Node(onnxgraph.ONNX("Mul"), []string{x, b.Weight(r.factor)})
}
