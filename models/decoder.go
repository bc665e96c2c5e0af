package models

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"textmill/models/internal/graph"
)

// DecoderName is the file in a bundle that describes the graphs of a decoder that textmill wrote.
const DecoderName = "decoder.json"

// Layouts of decoders. SlotsLayout is textmill's own, and MoreLayout the same with what else decoder.json tells of;
// both are specified in package checkpoint. ExportedLayout is that of
// exporters such as Optimum, transformers.js and onnxruntime-genai: past_key_values.N.key/value of [batch, heads,
// past, size] in, present.N.key/value of [batch, heads, past + new, size] out.
const (
	SlotsLayout    = "slots-1"
	MoreLayout     = "slots-2"
	ExportedLayout = "exported"
)

// A Decoder says how a generation model's graphs are laid out.
type Decoder struct {
	Layout       string `json:"layout"`
	Layers       int    `json:"layers"`
	Heads        int    `json:"heads"`
	KVHeads      int    `json:"kv_heads"`
	HeadSize     int    `json:"head_size"`
	HiddenSize   int    `json:"hidden_size"`
	VocabSize    int    `json:"vocab_size"`
	MaxPositions int    `json:"max_positions"`
	// OriginalPositions, unless 0, is how many tokens a text may have to be rotated from the first row of the table of
	// rotations on. Longer ones are from that row on, with their first token: one that becomes longer is computed anew.
	OriginalPositions int `json:"original_positions,omitempty"`
	// CacheLayers are the layers that have a KV cache, nil for all.
	CacheLayers []int `json:"cache_layers,omitempty"`
	// States are what layers keep of a text beside it, of one size however long the text is.
	States []State `json:"states,omitempty"`
	// CacheType is the element type of the caches.
	CacheType string `json:"cache_type"`
	// Precision is what the weights were imported as, "" when nothing says it.
	Precision string `json:"precision,omitempty"`
	// Embedding is the tensor that tokens are looked up in.
	Embedding TokenTable `json:"embedding"`
	// Graphs are the ONNX files, the most exact one first; they share their weights.
	Graphs []DecoderGraph `json:"graphs"`
}

// A TokenTable is a matrix of [vocab_size, hidden_size] in the graph: an initializer of floats, or one of blocks whose
// value is scale × (integer − zero) + low, where the initializers of scale and low have a number for each block.
type TokenTable struct {
	Tensor    string `json:"tensor"`
	Bits      int    `json:"bits"` // 32 for floats
	BlockSize int    `json:"block_size,omitempty"`
	Zero      int    `json:"zero,omitempty"`
	Scale     string `json:"scale,omitempty"`
	Low       string `json:"low,omitempty"`
}

// A DecoderGraph is one of the ONNX files of a decoder.
type DecoderGraph struct {
	File string `json:"file"`
	// Activations is "float32", or "int8" where products with matrices in blocks round activations to 8 bits.
	Activations string `json:"activations"`
	// MinRows is how many rows a decode of earlier versions took at least. It is measured now, see Company, and stays in
	// the file so that a checkpoint goes on giving the same model_sha256.
	MinRows int `json:"min_rows"`
}

// Own tells whether the layout is one of textmill's for processors.
func (d *Decoder) Own() bool { return d.Layout == SlotsLayout || d.Layout == MoreLayout }

// Feeds are the names of what a graph of such a layout takes and gives: what a run says of its tokens, then the
// caches, then the states.
func (d *Decoder) Feeds() (inputs, outputs []string) {
	inputs = []string{"input_ids", "seqlens_k", "total_sequence_length", "logits_positions"}
	outputs = []string{"logits"}
	if d.OriginalPositions > 0 {
		inputs = append(inputs, "rotary_start")
	}
	for _, i := range d.Cached() {
		for _, part := range []string{"key", "value"} {
			inputs = append(inputs, fmt.Sprintf("past_key_values.%d.%s", i, part))
			outputs = append(outputs, fmt.Sprintf("present.%d.%s", i, part))
		}
	}
	for _, s := range d.States {
		inputs, outputs = append(inputs, "past_state."+s.Name), append(outputs, "present_state."+s.Name)
	}
	return inputs, outputs
}

// KVBytes is what one token takes in the KV cache.
func (d *Decoder) KVBytes() int64 {
	size := int64(4)
	if d.CacheType == "float16" || d.CacheType == "bfloat16" {
		size = 2
	}
	return 2 * size * int64(len(d.Cached())) * int64(d.KVHeads) * int64(d.HeadSize)
}

// ids are one id or a list of them.
type ids []int32

func (l *ids) UnmarshalJSON(data []byte) error {
	var one *int32
	if json.Unmarshal(data, &one) == nil {
		if one != nil {
			*l = ids{*one}
		}
		return nil
	}
	var many []int32
	err := json.Unmarshal(data, &many)
	*l = many
	return err
}

// decoderConfig is what config.json says about a decoder's shape.
type decoderConfig struct {
	Layers   int `json:"num_hidden_layers"`
	Heads    int `json:"num_attention_heads"`
	KVHeads  int `json:"num_key_value_heads"`
	HeadSize int `json:"head_dim"`
	Hidden   int `json:"hidden_size"`
	Vocab    int `json:"vocab_size"`
	EOS      ids `json:"eos_token_id"`
}

// readDecoder takes what the files of a generation model say.
func (s *Spec) readDecoder(c *configs) error {
	var model decoderConfig
	if _, err := readModelConfig(s.Dir, &model); err != nil {
		return err
	}
	d := &Decoder{}
	found, err := readJSON(s.path(DecoderName), d)
	if err != nil {
		return err
	}
	if !found {
		if d, err = s.exportedDecoder(c, model); err != nil {
			return err
		}
	}
	if !d.Own() && d.Layout != ExportedLayout {
		return fmt.Errorf("%w: %s: layout %q is not known to this version; known are %s, %s and %s", ErrBundle, DecoderName,
			d.Layout, SlotsLayout, MoreLayout, ExportedLayout)
	}
	if err := d.check(); err != nil {
		return err
	}
	s.Decoder, s.MaxLength = d, d.MaxPositions
	return s.readGeneration(model)
}

// check holds sizes to what no model exceeds, since memory is given by them before a graph is asked.
func (d *Decoder) check() error {
	for _, size := range []struct {
		name    string
		n, most int
	}{{"layers", d.Layers, 1 << 12}, {"kv_heads", d.KVHeads, 1 << 12}, {"head_size", d.HeadSize, 1 << 16},
		{"vocab_size", d.VocabSize, 1 << 24}, {"max_positions", d.MaxPositions, 1 << 30}} {
		if size.n < 1 || size.n > size.most {
			return fmt.Errorf("%w: %s of the decoder is %d; it can be 1 to %d", ErrBundle, size.name, size.n, size.most)
		}
	}
	if d.OriginalPositions < 0 || d.OriginalPositions >= d.MaxPositions {
		return fmt.Errorf("%w: original_positions of the decoder are %d of %d max_positions", ErrBundle, d.OriginalPositions,
			d.MaxPositions)
	}
	if err := d.checkStates(); err != nil {
		return err
	}
	if len(d.Graphs) == 0 {
		return fmt.Errorf("%w: %s names no graphs", ErrBundle, DecoderName)
	}
	for _, g := range d.Graphs {
		if !filepath.IsLocal(filepath.FromSlash(g.File)) {
			return fmt.Errorf("%w: %s names the graph %q, outside of the bundle", ErrBundle, DecoderName, g.File)
		}
	}
	return nil
}

// readGeneration reads how texts are made: generation_config.json, or, where there is none, what config.json says of
// it.
func (s *Spec) readGeneration(model decoderConfig) error {
	name := GenerationName
	var raw json.RawMessage
	found, err := readJSON(s.path(name), &raw)
	if err != nil {
		return err
	}
	if !found {
		name = "config.json"
		if _, err := readModelConfig(s.Dir, &raw); err != nil {
			return err
		}
	}
	if s.Generation, err = ParseGeneration(name, raw, s.Decoder.VocabSize); err != nil {
		return err
	}
	g := &s.Generation
	for _, note := range g.Notes {
		s.note("%s", note)
	}
	switch {
	case len(g.EOS) == 0 && len(model.EOS) == 0:
		s.note("neither generation_config.json nor config.json has an eos_token_id: texts end at stop strings and at max_new_tokens")
	case len(g.EOS) == 0:
		s.note("texts end with ids %v, as config.json says; generation_config.json has no eos_token_id", model.EOS)
		g.EOS = model.EOS
	case len(model.EOS) > 0 && !slices.Equal(g.EOS, model.EOS):
		s.note("texts end with ids %v, as generation_config.json says; config.json says %v", g.EOS, model.EOS)
	}
	return nil
}

// exportedDecoder finds the sizes of a decoder that an exporter made, from its graph and config.json.
func (s *Spec) exportedDecoder(c *configs, model decoderConfig) (*Decoder, error) {
	g, err := graph.Read(s.path(s.Graph))
	if err != nil {
		return nil, fmt.Errorf("%w: %w; %s", ErrBundle, err, remedy(s.Dir))
	}
	d := &Decoder{
		Layout: ExportedLayout, Heads: model.Heads, KVHeads: firstPositive(model.KVHeads, model.Heads),
		HeadSize:   model.HeadSize,
		HiddenSize: model.Hidden, VocabSize: model.Vocab, MaxPositions: c.model.positions(), CacheType: "float32",
		Graphs: []DecoderGraph{{File: s.Graph, Activations: "float32", MinRows: 1}},
	}
	if d.HeadSize == 0 && d.Heads > 0 {
		d.HeadSize = d.HiddenSize / d.Heads
	}
	for _, in := range g.Inputs {
		if !strings.HasPrefix(in.Name, "past_key_values.") || !strings.HasSuffix(in.Name, ".key") {
			continue
		}
		d.Layers++
		if in.Type == graph.Float16 {
			d.CacheType = "float16"
		}
		if len(in.Dims) == 4 {
			d.KVHeads = firstPositive(int(in.Dims[1]), d.KVHeads)
			d.HeadSize = firstPositive(int(in.Dims[3]), d.HeadSize)
		}
	}
	if d.Layers == 0 {
		return nil, fmt.Errorf("%w: %s has no inputs past_key_values.N.key and .value (it has %s): without a KV cache every token would cost the whole text; "+
			"export it with its cache, or run textmill models import on the checkpoint", ErrBundle, s.Graph,
			strings.Join(s.Inputs, ", "))
	}
	return d, nil
}
