package checkpoint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
)

// kind is what config.json says about what the model is.
type kind struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	HiddenSize    int      `json:"hidden_size"`
	Causal        *bool    `json:"is_causal"`
}

func describe(config []byte) (kind, error) {
	var k kind
	if err := json.Unmarshal(config, &k); err != nil {
		return k, fmt.Errorf("%w: read config.json: %w", ErrUnsupported, err)
	}
	return k, nil
}

func (k kind) architecture() string { return strings.Join(k.Architectures, ", ") }

// bare tells that no head belongs to the model.
func (k kind) bare() bool { return strings.HasSuffix(k.architecture(), "Model") }

// Supports tells whether models of a task can be imported that config.json calls kind: by model_type those that embed,
// by architecture those that generate.
func Supports(task, kind string) bool {
	if task == naming.TaskGenerate {
		return decoder.Supports(kind)
	}
	return encoder.Supports(kind) || decoder.Embeds(kind) || slices.Contains(StaticModels(), kind)
}

// taskOf decides what a graph is made for: what was asked for, else what the checkpoint was made for.
func (o Options) taskOf(src source, k kind) (string, error) {
	known := fmt.Errorf("%w: architecture %q of model_type %q; known are the decoders %v, which generate, the decoders %v, "+
		"which embed, and the encoders %v", ErrUnsupported, k.architecture(), k.ModelType, decoder.Architectures(),
		decoder.Embedders(), encoder.ModelTypes())
	switch embeds := decoder.Embeds(k.ModelType); {
	case o.Task != "" && o.Task != naming.TaskEmbed && o.Task != naming.TaskGenerate:
		return "", fmt.Errorf("%w: task %q is neither %s nor %s", ErrUnsupported, o.Task, naming.TaskEmbed,
			naming.TaskGenerate)
	case o.Task == naming.TaskGenerate && src.embeds() != "":
		return "", fmt.Errorf("%w: %s, so it was made to embed", ErrUnsupported, src.embeds())
	case o.Task == naming.TaskGenerate && !decoder.Supports(k.architecture()):
		return "", known
	case o.Task != "":
		if o.Task == naming.TaskEmbed && !embeds && !encoder.Supports(k.ModelType) {
			return "", known
		}
		return o.Task, nil
	case encoder.Supports(k.ModelType), embeds && (src.embeds() != "" || k.bare()):
		return naming.TaskEmbed, nil
	case src.embeds() != "" && !embeds:
		return "", fmt.Errorf("%w: %s, so it was made to embed, which models of architecture %q and model_type %q cannot "+
			"here; known are the decoders %v, and the encoders %v", ErrUnsupported, src.embeds(), k.architecture(), k.ModelType,
			decoder.Embedders(), encoder.ModelTypes())
	case decoder.Supports(k.architecture()):
		return naming.TaskGenerate, nil
	case embeds:
		return "", fmt.Errorf("%w: architecture %q has a head that is not known, and no sentence-transformers modules "+
			"(modules.json) say that it embeds; if it does, ask for that with --task embed", ErrUnsupported, k.architecture())
	}
	return "", known
}

// completeModules writes what sentence-transformers takes for the modules of a decoder without any: the last token's
// vector where the model continues texts, else the mean. Bundles of bare models say as much without them.
func (k kind) completeModules(dir string, src source) error {
	if src.embeds() != "" || k.bare() {
		return nil
	}
	mode := "lasttoken"
	if k.Causal != nil && !*k.Causal || !strings.HasSuffix(k.architecture(), "ForCausalLM") {
		mode = "mean"
	}
	modules := newModules(dir)
	if _, err := modules.add("Pooling", map[string]any{"embedding_dimension": k.HiddenSize, "pooling_mode": mode,
		"include_prompt": true}); err != nil {
		return err
	}
	return modules.write()
}
