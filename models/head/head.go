// Package head applies what sentence-transformers has behind a model's pooling: linear layers and norms.
package head

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/checkpoint/safetensors"
	"textmill/models/checkpoint/tensor"
)

// A Head is the steps of a model, loaded. It is safe for concurrent use.
type Head []step

// A step replaces vectors, of one length, by others.
type step func(vectors [][]float32)

// Load reads the weights of the spec's steps. What is wrong with them is models.ErrBundle and names file and tensor.
func Load(spec *models.Spec) (Head, error) {
	var h Head
	for _, s := range spec.Steps {
		made, err := load(spec.Dir, s)
		if err != nil {
			return nil, fmt.Errorf("%w: the %s module: %w", models.ErrBundle, s.Kind, err)
		}
		h = append(h, made)
	}
	return h, nil
}

// Apply replaces each vector that is not nil. What it comes to is the same bits whatever vectors are beside it.
func (h Head) Apply(vectors [][]float32) {
	there := make([][]float32, 0, len(vectors))
	for _, v := range vectors {
		if v != nil {
			there = append(there, v)
		}
	}
	for _, s := range h {
		s(there)
	}
	for i, v := range vectors {
		if v != nil {
			vectors[i], there = there[0], there[1:]
		}
	}
}

func load(dir string, s models.Step) (step, error) {
	if s.Kind == models.StepNormalize {
		return normalize, nil
	}
	t, err := read(filepath.Join(dir, filepath.FromSlash(s.Weights)))
	if err != nil {
		return nil, err
	}
	if s.Kind == models.StepLayerNorm {
		weight, bias := t.values("norm.weight", s.In), t.values("norm.bias", s.In)
		return layerNorm(weight, bias), t.end()
	}
	d := dense{weight: t.values("linear.weight", s.Out, s.In), bias: make([]float32, s.Out), out: s.Out,
		activation: activations[s.Activation], residual: s.Residual}
	if s.Bias {
		d.bias = t.values("linear.bias", s.Out)
	}
	if s.Residual && s.In != s.Out {
		d.across = t.values("residual.weight", s.Out, s.In)
	}
	return d.apply, t.end()
}

// tensors are those of one file, up to the first error.
type tensors struct {
	path string
	all  map[string]*tensor.Tensor
	err  error
	done func() error
}

func read(path string) (*tensors, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	t := &tensors{path: path, done: f.Close}
	st, err := f.Stat()
	if err == nil {
		t.all, err = safetensors.Read(f, st.Size())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
	}
	return t, nil
}

func (t *tensors) values(name string, shape ...int) []float32 {
	if t.err != nil {
		return nil
	}
	v, ok := t.all[name]
	if !ok {
		t.err = fmt.Errorf("%s lacks the tensor %s", t.path, name)
		return nil
	}
	if fmt.Sprint(v.Shape) != fmt.Sprint(shape) {
		t.err = fmt.Errorf("%s: tensor %s has the shape %v, config.json beside it asks for %v", t.path, name, v.Shape, shape)
		return nil
	}
	values := make([]float32, v.Rows()*v.Width())
	if err := v.Floats(values, 0); err != nil {
		t.err = fmt.Errorf("%s: tensor %s: %w", t.path, name, err)
		return nil
	}
	for _, x := range values {
		if x-x != 0 {
			t.err = fmt.Errorf("%s: tensor %s holds the value %v", t.path, name, x)
			return nil
		}
	}
	return values
}

func (t *tensors) end() error { return errors.Join(t.err, t.done()) }

var activations = map[string]func(float64) float64{
	"Identity": func(x float64) float64 { return x },
	"Tanh":     math.Tanh,
	"ReLU":     func(x float64) float64 { return max(x, 0) },
	"GELU":     func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
	"SiLU":     func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	"Sigmoid":  func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
}

// A dense layer has a row of weights for each value that it gives.
type dense struct {
	weight, bias []float32
	across       []float32 // what the residual goes through, nil for nothing
	out          int
	activation   func(float64) float64
	residual     bool
}

// apply goes over the weights once for all vectors, of which each has its own sums.
func (d dense) apply(vectors [][]float32) {
	made := make([][]float32, len(vectors))
	for t := range made {
		made[t] = make([]float32, d.out)
	}
	for i := range d.out {
		for t, v := range vectors {
			x := d.activation(float64(dot(d.weight[i*len(v):(i+1)*len(v)], v) + d.bias[i]))
			switch {
			case d.across != nil:
				x += float64(dot(d.across[i*len(v):(i+1)*len(v)], v))
			case d.residual:
				x += float64(v[i])
			}
			made[t][i] = float32(x)
		}
	}
	copy(vectors, made)
}

// dot adds eight sums, so that the additions do not wait for each other. Products are rounded by themselves: what a
// compiler may fuse comes to other bits elsewhere.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s [8]float32
	for len(a) >= 8 && len(b) >= 8 {
		for j := range s {
			s[j] += float32(a[j] * b[j])
		}
		a, b = a[8:], b[8:]
	}
	for j := range a {
		s[j] += float32(a[j] * b[j])
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// layerNorm is PyTorch's with its own epsilon.
func layerNorm(weight, bias []float32) step {
	const epsilon = 1e-5
	return func(vectors [][]float32) {
		for _, v := range vectors {
			var mean, square float64
			for _, x := range v {
				mean += float64(x)
			}
			mean /= float64(len(v))
			for _, x := range v {
				d := float64(x) - mean
				square += float64(d * d)
			}
			scale := 1 / math.Sqrt(square/float64(len(v))+epsilon)
			for i, x := range v {
				v[i] = float32(float64((float64(x)-mean)*scale)*float64(weight[i])) + bias[i]
			}
		}
	}
}

func normalize(vectors [][]float32) {
	for _, v := range vectors {
		var square float64
		for _, x := range v {
			square += float64(x) * float64(x)
		}
		scale := 1 / max(math.Sqrt(square), 1e-12)
		for i, x := range v {
			v[i] = float32(float64(x) * scale)
		}
	}
}
