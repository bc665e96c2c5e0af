package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"

	"textmill/ground/regular"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/safetensors"
	"textmill/models/checkpoint/tensor"
)

// A lora is a checkpoint with an adapter as peft saves it: to a matrix it adds the product of two narrow ones, some
// tensors it replaces.
type lora struct {
	source
	set      *safetensors.Set
	alpha    float64
	rooted   bool              // the scale falls with the root of the rank (use_rslora)
	pairs    map[string]string // the module that is changed, and its tensors' names up to lora_A and lora_B
	replaced map[string]string // a tensor that takes the place of one, and its name
	waiting  map[string]bool   // what nothing has asked for yet, by names of the adapter
}

// adapterConfig is adapter_config.json.
type adapterConfig struct {
	Kind     string  `json:"peft_type"`
	Alpha    float64 `json:"lora_alpha"`
	Rooted   bool    `json:"use_rslora"`
	Bias     string  `json:"bias"`
	Init     any     `json:"init_lora_weights"`
	unknowns map[string]json.RawMessage
}

// unfolded are settings under which an adapter is more than a product that is added.
var unfolded = []string{"use_dora", "use_qalora", "use_bdlora", "lora_bias", "alpha_pattern", "layer_replication",
	"target_parameters", "trainable_token_indices", "megatron_config", "velora_config", "monteclora_config", "kasa_config",
	"alora_invocation_tokens", "arrow_config"}

func readAdapterConfig(dir string) (c adapterConfig, err error) {
	path := filepath.Join(dir, "adapter_config.json")
	data, err := regular.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("%w: it is no adapter as peft saves one: %w", ErrUnsupported, err)
	}
	if err := errors.Join(json.Unmarshal(data, &c), json.Unmarshal(data, &c.unknowns)); err != nil {
		return c, fmt.Errorf("%w: read %s: %w", ErrUnsupported, path, err)
	}
	if c.Kind != "LORA" {
		return c, fmt.Errorf("%w: peft_type is %q; LORA is known", ErrUnsupported, c.Kind)
	}
	for _, key := range unfolded {
		switch v := strings.TrimSpace(string(c.unknowns[key])); v {
		case "", "null", "false", "{}", "[]":
		default:
			return c, fmt.Errorf("%w: %s is %.60s", ErrUnsupported, key, v)
		}
	}
	switch init, named := c.Init.(string); {
	case named && init != "gaussian" && init != "orthogonal" && init != "eva":
		return c, fmt.Errorf("%w: init_lora_weights is %q, under which the checkpoint's own weights are changed too; save the adapter converted to plain LoRA",
			ErrUnsupported, init)
	case c.Bias != "" && c.Bias != "none":
		return c, fmt.Errorf("%w: bias is %q; none is known", ErrUnsupported, c.Bias)
	case !(c.Alpha > 0):
		return c, fmt.Errorf("%w: lora_alpha is %v", ErrUnsupported, c.Alpha)
	}
	return c, nil
}

// openAdapter has src give weights with the adapter in dir folded in.
func openAdapter(src source, dir string) (_ *lora, err error) {
	if _, ok := src.(*directory); !ok {
		return nil, fmt.Errorf("%w: adapters are folded into directories with safetensors of decoders and encoders only",
			ErrUnsupported)
	}
	c, err := readAdapterConfig(dir)
	if err != nil {
		return nil, err
	}
	set, err := safetensors.OpenFile(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	l := &lora{source: src, set: set, alpha: c.Alpha, rooted: c.Rooted, pairs: map[string]string{},
		replaced: map[string]string{}, waiting: map[string]bool{}}
	for _, full := range set.Names() {
		name := strings.TrimPrefix(full, "base_model.model.")
		module, isA := strings.CutSuffix(name, ".lora_A.weight")
		_, isB := strings.CutSuffix(name, ".lora_B.weight")
		switch {
		case isA:
			l.pairs[module] = strings.TrimSuffix(full, "lora_A.weight")
			l.waiting[module] = true
		case isB:
		case strings.Contains(name, ".lora_"):
			return nil, errors.Join(fmt.Errorf("%w: it has the tensor %s; lora_A and lora_B of linear layers are known",
				ErrUnsupported, full), set.Close())
		default:
			l.replaced[name] = full
			l.waiting[name] = true
		}
	}
	if len(l.waiting) == 0 {
		return nil, errors.Join(fmt.Errorf("%w: it changes nothing: %s has no tensor", ErrUnsupported, dir), set.Close())
	}
	return l, nil
}

// matched finds a name of the checkpoint among the adapter's: either may have the parts before that the other lacks.
func matched(names map[string]string, name string) (key, value string, ok bool) {
	for stem := name; ; {
		if value, ok = names[stem]; ok {
			return stem, value, true
		}
		_, rest, more := strings.Cut(stem, ".")
		if !more || strings.Count(rest, ".") < 1 {
			break
		}
		stem = rest
	}
	for key, value = range names {
		if strings.HasSuffix(key, "."+name) && strings.Count(key, ".") == strings.Count(name, ".")+1 {
			return key, value, true
		}
	}
	return "", "", false
}

// Find gives the checkpoint's tensor with what the adapter adds, or the adapter's own in its place.
func (l *lora) Find(name string) (weights.Part, bool) {
	if key, full, ok := matched(l.replaced, name); ok {
		delete(l.waiting, key)
		t, found := l.set.Tensor(full)
		return weights.Part{Tensor: t}, found
	}
	part, ok := l.source.Find(name)
	module, isWeight := strings.CutSuffix(name, ".weight")
	if !ok || !isWeight {
		return part, ok
	}
	key, prefix, ok := matched(l.pairs, module)
	if !ok {
		return part, true
	}
	delete(l.waiting, key)
	part.Add = l.adds(part, prefix)
	return part, true
}

// adds is what the pair of that prefix adds to part. Its error comes when the weights are read.
func (l *lora) adds(part weights.Part, prefix string) func([]float32, int, int) error {
	a, okA := l.set.Tensor(prefix + "lora_A.weight")
	b, okB := l.set.Tensor(prefix + "lora_B.weight")
	failed := func(err error) func([]float32, int, int) error { return func([]float32, int, int) error { return err } }
	switch {
	case !okA || !okB:
		return failed(fmt.Errorf("%w: %slora_A.weight or lora_B.weight", weights.ErrMissing, prefix))
	case len(a.Shape) != 2 || len(b.Shape) != 2 || a.Rows() != b.Width() || a.Width() != part.Width() ||
		b.Rows() != part.Rows():
		return failed(fmt.Errorf("%w %slora_A.weight: its shape is %v and that of lora_B is %v, for %v", tensor.ErrTensor,
			prefix, a.Shape, b.Shape, part.Shape))
	}
	scale := l.alpha / float64(a.Rows())
	if l.rooted {
		scale = l.alpha / math.Sqrt(float64(a.Rows()))
	}
	p := product{scale: float32(scale), left: func() (weights.Part, error) { return weights.Part{Tensor: b}, nil }}
	p.right = sync.OnceValues(func() ([]float32, error) {
		right := make([]float32, a.Rows()*a.Width())
		return right, a.Floats(right, 0)
	})
	return p.add
}

// unasked names what the adapter changes and the model does not have.
func (l *lora) unasked() error {
	for name := range l.waiting {
		return fmt.Errorf("%w: the adapter changes %s, for which the model has no place", ErrUnsupported, name)
	}
	return nil
}

func (l *lora) Close() error { return errors.Join(l.set.Close(), l.source.Close()) }
