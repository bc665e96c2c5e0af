package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/tensor"
)

// An adapted is a checkpoint that keeps a matrix as an original and what each of several adaptations adds to it, the
// product of two narrow ones (jina-embeddings-v3). Without an adaptation it is the originals.
type adapted struct {
	source
	index int // -1 for none
	scale float32
}

// adapt has src give the matrices of one of its adaptations, which config.json names; "" is none.
func adapt(src source, name string) (source, error) {
	var c struct {
		Names []string `json:"lora_adaptations"`
		Rank  float64  `json:"lora_rank"`
		Alpha float64  `json:"lora_alpha"`
	}
	if err := json.Unmarshal(src.config(), &c); err != nil {
		return nil, fmt.Errorf("%w: read config.json: %w", ErrUnsupported, err)
	}
	a := adapted{source: src, index: slices.Index(c.Names, name)}
	switch {
	case len(c.Names) == 0 && name == "":
		return src, nil
	case len(c.Names) == 0:
		return nil, fmt.Errorf("%w: adaptation %q: config.json has no lora_adaptations", ErrUnsupported, name)
	case name != "" && a.index < 0:
		return nil, fmt.Errorf("%w: adaptation %q; it has %s", ErrUnsupported, name, strings.Join(c.Names, ", "))
	case name != "" && !(c.Rank >= 1 && c.Alpha > 0):
		return nil, fmt.Errorf("%w: lora_rank is %v, lora_alpha is %v", ErrUnsupported, c.Rank, c.Alpha)
	}
	a.scale = float32(c.Alpha / c.Rank)
	return a, nil
}

// Find gives <x>.weight where the checkpoint has <x>.parametrizations.weight.original.
func (a adapted) Find(name string) (weights.Part, bool) {
	part, ok := a.source.Find(name)
	stem, isWeight := strings.CutSuffix(name, ".weight")
	if ok || !isWeight {
		return part, ok
	}
	stem += ".parametrizations.weight."
	if part, ok = a.source.Find(stem + "original"); !ok || a.index < 0 {
		return part, ok
	}
	// A linear layer's rows are those of B, a table's are those of A; both are [adaptations, …, …].
	left, right := stem+"0.lora_B", stem+"0.lora_A"
	if strings.Contains(name, "embeddings") {
		left, right = right, left
	}
	p := product{rows: part.Rows(), index: a.index, scale: a.scale}
	p.right = sync.OnceValues(func() ([]float32, error) { return a.factor(right, 0, part.Width()) })
	p.left = sync.OnceValues(func() (weights.Part, error) { return a.shaped(left, part.Rows(), 0) })
	part.Add = p.add
	return part, true
}

// shaped finds a factor of [adaptations, rows, width], where 0 is any.
func (a adapted) shaped(name string, rows, width int) (weights.Part, error) {
	p, ok := a.source.Find(name)
	if !ok {
		return p, fmt.Errorf("%w: %s", weights.ErrMissing, name)
	}
	if s := p.Shape; len(s) != 3 || a.index >= s[0] || s[1] != cmp.Or(rows, s[1]) || s[2] != cmp.Or(width, s[2]) {
		return p, fmt.Errorf("%w %s: its shape is %v", tensor.ErrTensor, name, s)
	}
	return p, nil
}

// factor reads all of an adaptation's factor.
func (a adapted) factor(name string, rows, width int) ([]float32, error) {
	p, err := a.shaped(name, rows, width)
	if err != nil {
		return nil, err
	}
	v := make([]float32, p.Shape[1]*p.Shape[2])
	return v, p.Floats(v, a.index*p.Shape[1])
}

// A product is what an adaptation adds to a matrix.
type product struct {
	rows, index int
	scale       float32
	left        func() (weights.Part, error)
	right       func() ([]float32, error)
}

// add adds it to whole rows from on.
func (p product) add(dst []float32, from, width int) error {
	left, err := p.left()
	if err != nil {
		return err
	}
	right, err := p.right()
	if err != nil {
		return err
	}
	rank := left.Width()
	if rank*width != len(right) {
		return fmt.Errorf("%w %s: its rank is %d, its other factor's %d", tensor.ErrTensor, left.Name, rank, len(right)/width)
	}
	share := make([]float32, len(dst)/width*rank)
	if err := left.Floats(share, p.index*p.rows+from); err != nil {
		return err
	}
	sums := make([]float32, width)
	for i := range len(dst) / width {
		clear(sums)
		for k, v := range share[i*rank:][:rank] {
			for j, w := range right[k*width:][:width] {
				sums[j] += float32(v * w)
			}
		}
		row := dst[i*width:][:width]
		for j := range row {
			row[j] += float32(sums[j] * p.scale)
		}
	}
	return nil
}
