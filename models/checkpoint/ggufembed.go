package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"textmill/models"
)

// ggufPoolings are the numbers of pooling_type, and sentence-transformers' words for them.
var ggufPoolings = []string{models.PoolNone, "mean", "cls", "lasttoken"}

// poolRank is the pooling_type of models that rank pairs of texts.
const poolRank = 4

// readPooling takes how tokens see each other, and what is made of their vectors: only what was made to embed says so.
// What sees both ways and says no more has a mean of them.
func (g *ggufModel) readPooling(name string, c map[string]any) error {
	causal, told := g.Bool(name + ".attention.causal")
	if !told {
		causal = !g.arch.encoder && !g.arch.bothWays
	}
	switch {
	case g.arch.encoder && causal:
		return fmt.Errorf("%w: %s.attention.causal is set, and encoders see both ways", ErrUnsupported, name)
	case !causal:
		g.pooling, g.embedsBy = "mean", fmt.Sprintf("%s.attention.causal is false", name)
		if !told {
			g.embedsBy = "models of the architecture " + name + " see both ways"
		}
	}
	if !g.arch.encoder && !causal {
		c["is_causal"] = false
		c["use_bidirectional_attention"] = g.arch.bothWays
	}
	key := name + ".pooling_type"
	switch n, ok := g.Int(key); {
	case !ok && g.Has(key):
		return fmt.Errorf("%w: %s is no integer", ErrUnsupported, key)
	case !ok:
	case n == poolRank:
		return fmt.Errorf("%w: %s is %d, rank: the model ranks pairs of texts, and makes no vectors", ErrUnsupported, key, n)
	case n < 0 || n >= int64(len(ggufPoolings)):
		return fmt.Errorf("%w: %s is %d; known are 0 (none), 1 (mean), 2 (cls) and 3 (last)", ErrUnsupported, key, n)
	default:
		g.pooling, g.embedsBy = ggufPoolings[n], fmt.Sprintf("%s is %d", key, n)
	}
	return nil
}

// readEncoder takes what only the tensors of an encoder tell.
func (g *ggufModel) readEncoder(c map[string]any) {
	c["hidden_act"] = "gelu"
	if _, gated := g.Tensor("blk.0.ffn_gate.weight"); gated {
		c["hidden_act"] = "silu"
	}
	c["type_vocab_size"] = 0
	if t, ok := g.Tensor("token_types.weight"); ok {
		c["type_vocab_size"] = t.Rows()
	}
	if t, ok := g.Tensor("position_embd.weight"); ok {
		c["max_position_embeddings"], g.context = t.Rows(), min(g.context, t.Rows())
	}
}

// writeModules writes what the file says of vectors as sentence-transformers' modules: those of texts are brought to
// length 1, as llama.cpp's programs do.
func (g *ggufModel) writeModules(dir string) error {
	if g.pooling == "" {
		return nil
	}
	modules := newModules(dir)
	if _, err := modules.add("Pooling", map[string]any{"pooling_mode": g.pooling, "include_prompt": true}); err != nil {
		return err
	}
	for _, name := range []string{"dense_2.weight", "dense_3.weight"} {
		t, ok := g.Tensor(name)
		if !ok || g.pooling == models.PoolNone {
			continue
		}
		if len(t.Shape) != 2 || t.Width() > mostDense/t.Rows() {
			return fmt.Errorf("%w: tensor %s has shape %v", ErrUnsupported, name, t.Shape)
		}
		folder, err := modules.add("Dense", map[string]any{"in_features": t.Width(), "out_features": t.Rows(), "bias": false,
			"activation_function": "torch.nn.modules.linear.Identity"})
		if err != nil {
			return err
		}
		values := make([]float32, t.Rows()*t.Width())
		if err := t.Floats(values, 0); err != nil {
			return err
		}
		if err := writeTensor(filepath.Join(folder, "model.safetensors"), "linear.weight", t.Shape, values); err != nil {
			return err
		}
	}
	if g.pooling != models.PoolNone {
		if _, err := modules.add("Normalize", map[string]any{}); err != nil {
			return err
		}
	}
	return modules.write()
}

// mostDense bounds the numbers of a matrix behind the pooling.
const mostDense = 1 << 26

// writeTensor writes a file of safetensors with one tensor.
func writeTensor(path, name string, shape []int, values []float32) error {
	header, err := json.Marshal(map[string]any{name: map[string]any{"dtype": "F32", "shape": shape,
		"data_offsets": []int{0, 4 * len(values)}}})
	if err != nil {
		return err
	}
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	data = append(data, header...)
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return os.WriteFile(path, data, 0o644)
}
