package decoder

import (
	"encoding/json"
	"fmt"
	"strings"

	"textmill/models/checkpoint/internal/weights"
)

// source finds tensors by Llama's names, whatever the family calls or packs them.
func (c *Config) source(s weights.Source) (weights.Source, error) {
	if c.family.names != nil || c.family.deltas {
		s = renamed{s, c.family.names}
	}
	if len(c.family.packs) == 0 {
		return s, nil
	}
	p := packed{s, c}
	return p, p.check()
}

// renamed finds tensors by the family's own names. Kernels of a convolution over single dimensions are matrices.
type renamed struct {
	weights.Source
	names map[string]string
}

// Own is the family's name of a tensor.
func (r renamed) Own(name string) string {
	at, part := "", name
	if rest, ok := strings.CutPrefix(name, "model.layers."); ok {
		layer, inner, _ := strings.Cut(rest, ".")
		at, part = "model.layers."+layer+".", inner
	}
	if i := strings.LastIndexByte(part, '.'); i >= 0 {
		if own, ok := r.names[part[:i]]; ok {
			part = own + part[i:]
		}
	}
	return at + part
}

func (r renamed) Find(name string) (weights.Part, bool) {
	found, ok := r.Source.Find(r.Own(name))
	if ok && len(found.Shape) == 3 && found.Shape[1] == 1 {
		found.Tensor = found.Slice(0, found.Shape[0])
	}
	return found, ok
}

// packed finds matrices in those that a family packs them in.
type packed struct {
	weights.Source
	c *Config
}

// check names a pack that is missing, which its parts would not.
func (p packed) check() error {
	for i := range p.c.Layers {
		for _, k := range p.c.family.packs {
			name := fmt.Sprintf("model.layers.%d.%s.weight", i, k.whole)
			if _, ok := p.Source.Find(name); !ok {
				return fmt.Errorf("%w: %s", weights.ErrMissing, name)
			}
		}
	}
	return nil
}

func (p packed) Find(name string) (weights.Part, bool) {
	stem, _ := strings.CutSuffix(name, ".weight")
	for _, k := range p.c.family.packs {
		from, all, rows := 0, 0, -1
		at := ""
		for _, part := range k.parts {
			n := p.c.rows(part)
			if prefix, is := strings.CutSuffix(stem, part); is {
				at, from, rows = prefix, all, n
			}
			all += n
		}
		if rows < 0 {
			continue
		}
		whole, ok := p.Source.Find(at + k.whole + ".weight")
		if !ok || len(whole.Shape) != 2 || whole.Shape[0] != all {
			return whole, ok // of another shape than is asked for, which is refused
		}
		part := weights.Part{Tensor: whole.Slice(from, rows)}
		if whole.Add != nil {
			part.Add = func(dst []float32, at, width int) error { return whole.Add(dst, from+at, width) }
		}
		return part, true
	}
	return p.Source.Find(name)
}

// rows are those of one of the matrices that are packed.
func (c *Config) rows(part string) int {
	switch part {
	case "self_attn.q_proj":
		return c.Heads * c.HeadSize
	case "self_attn.k_proj", "self_attn.v_proj":
		return c.KVHeads * c.HeadSize
	}
	return c.Intermediate
}

// A pattern is a number n, for n - 1 layers that slide and one that does not, or the same as letters: LLLG for 4.
type pattern int

func (p *pattern) UnmarshalJSON(data []byte) error {
	var letters string
	if json.Unmarshal(data, &letters) == nil && letters != "" {
		if strings.TrimLeft(letters, "L") == "G" {
			*p = pattern(len(letters))
			return nil
		}
		return fmt.Errorf("%w: sliding_window_pattern is %q", ErrUnsupported, letters)
	}
	return json.Unmarshal(data, (*int)(p))
}
