package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"textmill/models/checkpoint/gguf"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/vocabulary"
	"textmill/models/checkpoint/internal/weights"
)

// ggufNames are GGUF's words for Hugging Face's tensors: those of the whole model, then those of a layer.
var ggufNames = map[string]string{
	"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",

	"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
	"self_attn.o_proj": "attn_output",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

// A ggufModel is a GGUF file seen as a Hugging Face checkpoint.
type ggufModel struct {
	*gguf.File
	arch       ggufArchitecture
	configJSON []byte
	context    int
	heads      map[string]int // of the projections whose rows are interleaved
	factors    []float32      // what the rotation's frequencies are divided by, nil for nothing
	pooling    string         // of what embeds, "" where the file does not say that it does
	embedsBy   string         // what says so
}

func openGGUF(path string) (source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	g := &ggufModel{File: f}
	if err := cmp.Or(g.readConfig(), g.readFactors()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

func (g *ggufModel) config() []byte { return g.configJSON }

// Find translates names, and undoes the interleaving of the rows that llama.cpp rotates in pairs of neighbours.
func (g *ggufModel) Find(name string) (weights.Part, bool) {
	prefix, stem, suffix := "", name, ""
	if rest, ok := strings.CutPrefix(name, cmp.Or(g.arch.layers, "model.layers.")); ok {
		layer, part, _ := strings.Cut(rest, ".")
		if _, err := strconv.Atoi(layer); err != nil {
			return weights.Part{}, false
		}
		prefix, stem = "blk."+layer+".", part
	}
	own, ok := g.arch.names[stem]
	if i := strings.LastIndexByte(stem, '.'); !ok && i >= 0 {
		stem, suffix = stem[:i], stem[i:]
		own, ok = g.arch.names[stem]
	}
	if !ok {
		own, ok = ggufNames[stem]
	}
	if !ok {
		return weights.Part{}, false
	}
	t, ok := g.Tensor(prefix + own + suffix)
	if !ok {
		return weights.Part{}, false
	}
	p := weights.Part{Tensor: t}
	if heads := g.heads[own]; heads > 0 {
		p.Order = interleaved(t.Shape[0], heads)
	}
	return p, true
}

// interleaved finds the rows of a head's first half and then of its second, which the file has by turns.
func interleaved(rows, heads int) []int {
	if rows%(2*heads) != 0 {
		return nil // another shape than the configuration asks for, which is refused
	}
	order, size := make([]int, rows), rows/heads
	for i := range order {
		head, half, j := i/size, i%size/(size/2), i%(size/2)
		order[i] = head*size + 2*j + half
	}
	return order
}

// readFactors reads what the file itself has the rotation's frequencies divided by.
func (g *ggufModel) readFactors() (err error) {
	g.factors, err = g.headFactors("rope_freqs.weight")
	return err
}

// headFactors are a tensor of no more numbers than a head has dimensions, nil where there is none of that name.
func (g *ggufModel) headFactors(name string) ([]float32, error) {
	t, ok := g.Tensor(name)
	if !ok {
		return nil, nil
	}
	if len(t.Shape) != 1 || t.Shape[0] > maxHead {
		return nil, fmt.Errorf("%w: tensor %s has shape %v", ErrUnsupported, t.Name, t.Shape)
	}
	factors := make([]float32, t.Shape[0])
	return factors, t.Floats(factors, 0)
}

// maxHead bounds the size of an attention head.
const maxHead = 1 << 16

func (g *ggufModel) embeds() string { return g.embedsBy }
func (g *ggufModel) unasked() error { return nil }

func (g *ggufModel) baked() decoder.Baked {
	return decoder.Baked{Divisors: g.factors, PlusOne: g.arch.plusOne, Deltas: g.hasDeltas(g.Text("general.architecture"))}
}

func (g *ggufModel) bytes() (n int64) {
	for _, name := range g.Order {
		t, _ := g.Tensor(name)
		n += t.Bytes()
	}
	return n
}

func (g *ggufModel) copyTo(dir string) error {
	files, err := vocabulary.Build(g.File, g.context)
	if err != nil {
		return err
	}
	files["config.json"] = g.configJSON
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return g.writeModules(dir)
}
