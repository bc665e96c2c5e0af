package bundles

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/models"
	"textmill/models/session"
	"textmill/open/bundle"
	"textmill/tokenize/chat"
)

// modelAnswer is what programs are told of a model.
type modelAnswer struct {
	Name         string   `json:"name"`
	Task         string   `json:"task"`
	Dir          string   `json:"dir"`
	SHA256       string   `json:"model_sha256"`
	Source       string   `json:"source,omitempty"`
	Architecture string   `json:"architecture,omitempty"`
	Graph        string   `json:"onnx_file"`
	Inputs       []string `json:"inputs"`
	MaxLength    int      `json:"max_length"`
	*embedModel
	*decoderModel
	BatchDependent bool          `json:"batch_dependent"`
	Sets           string        `json:"instruction_sets"`
	Measured       []measured    `json:"measured,omitempty"`
	Cards          []graphAnswer `json:"card,omitempty"`
	Notes          []string      `json:"notes,omitempty"`
	Bytes          int64         `json:"bytes"`
	Files          []models.File `json:"files"`
}

// embedModel is there for models to embed with, decoderModel for those to generate with.
type embedModel struct {
	Dim           int               `json:"dim"`
	Pooling       string            `json:"pooling"`
	PooledInGraph bool              `json:"pooled_in_graph"`
	Modules       []string          `json:"modules,omitempty"`
	Normalize     bool              `json:"normalize"`
	Truncate      int               `json:"truncate_dim,omitempty"`
	Similarity    string            `json:"similarity_fn_name,omitempty"`
	Prompts       map[string]string `json:"prompts,omitempty"`
	DefaultPrompt string            `json:"default_prompt,omitempty"`
	PaddingSide   string            `json:"padding_side"`
	PadID         int32             `json:"pad_id"`
}

type decoderModel struct {
	Layers     int    `json:"layers"`
	Heads      int    `json:"heads"`
	KVHeads    int    `json:"kv_heads"`
	HeadSize   int    `json:"head_size"`
	HiddenSize int    `json:"hidden_size"`
	VocabSize  int    `json:"vocab_size"`
	Precision  string `json:"precision,omitempty"`
	// KVBytes is what a token takes in the KV cache.
	KVBytes int64   `json:"kv_cache_bytes"`
	EOS     []int32 `json:"eos_token_id"`
	// Generation are the keys of generation_config.json that are honoured.
	Generation   map[string]json.RawMessage `json:"generation,omitempty"`
	ChatTemplate bool                       `json:"chat_template"`
	Layout       string                     `json:"layout"`
	Graphs       []models.DecoderGraph      `json:"graphs"`
}

func answerOf(s *models.Spec) modelAnswer {
	a := modelAnswer{
		Name: s.Name, Task: s.Task, Dir: s.Dir, SHA256: s.SHA256, Source: s.Source, Architecture: s.Architecture,
		Graph:  s.Graph,
		Inputs: s.Inputs, MaxLength: s.MaxLength, BatchDependent: s.BatchDependent, Notes: slices.Clone(s.Notes),
		Files: s.Files,
	}
	for _, f := range s.Files {
		a.Bytes += f.Size
	}
	a.Cards = cardsOf(s, &a)
	d := s.Decoder
	if d == nil {
		a.embedModel = &embedModel{
			Dim: s.Dim, Pooling: s.Pooling, PooledInGraph: s.PooledInGraph, Normalize: s.Normalize, Prompts: s.Prompts,
			Modules: s.StepNames(), Truncate: s.Truncate, Similarity: s.Similarity, DefaultPrompt: s.DefaultPrompt,
			PaddingSide: s.PaddingSide, PadID: s.PadID,
		}
		return a
	}
	a.decoderModel = &decoderModel{
		Layers: d.Layers, Heads: d.Heads, KVHeads: d.KVHeads, HeadSize: d.HeadSize, HiddenSize: d.HiddenSize,
		VocabSize: d.VocabSize,
		Precision: d.Precision, KVBytes: d.KVBytes(), EOS: s.Generation.EOS, Layout: d.Layout, Graphs: d.Graphs,
	}
	if len(s.Generation.Set) > 0 {
		a.Generation = map[string]json.RawMessage{}
		for _, set := range s.Generation.Set {
			a.Generation[set.Key] = set.Value
		}
	}
	if c, err := chat.LoadConfig(s.Dir); err != nil {
		a.Notes = append(a.Notes, err.Error())
	} else {
		a.ChatTemplate = c.HasTemplate()
	}
	return a
}

// Inspect writes all that is known of a model from its own files.
func Inspect(cfg config.Config, name string, out io.Writer, asJSON bool) error {
	s, err := bundle.Named(cfg, name)
	if err != nil {
		return err
	}
	a := answerOf(s)
	a.Sets = session.InstructionSets()
	var unread error // the rest can be told without it, as where the library is not set up yet
	if a.Measured, unread = remembered(cfg, s); unread != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("what was measured of it cannot be read: %v", unread))
	}
	for _, m := range a.Measured {
		if m.Graph == s.Graph && m.Company != nil {
			a.BatchDependent = !m.Holds()
		}
	}
	if asJSON {
		return plain.JSON(out, a)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	lines := [][2]any{
		{"name", a.Name}, {"task", a.Task}, {"architecture", cmp.Or(a.Architecture, "not said")}, {"directory", a.Dir},
		{"source", a.Source},
		{"model_sha256", a.SHA256}, {"onnx_file", a.Graph}, {"inputs", inputs(a)}, {"max_length", a.MaxLength},
	}
	if a.embedModel != nil {
		lines = append(lines, a.embedModel.lines()...)
	} else {
		lines = append(lines, a.decoderModel.lines()...)
	}
	lines = append(lines, [2]any{"batch_dependent", a.BatchDependent}, [2]any{"processor", a.Sets})
	for _, m := range a.Measured {
		lines = append(lines, [2]any{"measured", m})
	}
	for _, c := range a.Cards {
		lines = append(lines, [2]any{"card", fmt.Sprintf("%s, model_sha256 %s", cardLine(c.CardGraph), c.SHA256)})
	}
	for _, line := range lines {
		err = errors.Join(err, plain.Row(w, line[0], line[1]))
	}
	for _, note := range a.Notes {
		err = errors.Join(err, plain.Row(w, "note", note))
	}
	for _, f := range a.Files {
		err = errors.Join(err, plain.Row(w, "file", f.SHA256+"  "+f.Path))
	}
	return errors.Join(err, w.Flush())
}

// inputs are the names of the graph's, those of the KV cache in short.
func inputs(a modelAnswer) string {
	names := slices.DeleteFunc(slices.Clone(a.Inputs),
		func(n string) bool { return strings.HasPrefix(n, "past_key_values.") })
	if n := len(a.Inputs) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("past_key_values (%d)", n))
	}
	return strings.Join(names, ", ")
}

func (a *embedModel) lines() [][2]any {
	lines := [][2]any{
		{"dim", a.Dim}, {"pooling", a.Pooling}, {"pooled_in_graph", a.PooledInGraph}, {"modules behind the pooling", cmp.Or(strings.Join(a.Modules, ", "), "none")},
		{"normalize", a.Normalize}, {"truncate_dim", cmp.Or(a.Truncate, a.Dim)},
		{"similarity_fn_name", cmp.Or(a.Similarity, "not said")},
		{"default_prompt", a.DefaultPrompt}, {"padding", fmt.Sprintf("%s, id %d", a.PaddingSide, a.PadID)},
	}
	for _, name := range slices.Sorted(maps.Keys(a.Prompts)) {
		lines = append(lines, [2]any{"prompt " + name, fmt.Sprintf("%q", a.Prompts[name])})
	}
	return lines
}

func (a *decoderModel) lines() [][2]any {
	template := "none: messages are refused"
	if a.ChatTemplate {
		template = "present"
	}
	lines := [][2]any{
		{"layers", a.Layers}, {"heads", fmt.Sprintf("%d of %d dimensions, %d for keys and values", a.Heads, a.HeadSize,
			a.KVHeads)},
		{"hidden_size", a.HiddenSize}, {"vocab_size", a.VocabSize}, {"precision", cmp.Or(a.Precision, "not said")},
		{"kv_cache", fmt.Sprintf("%d bytes a token", a.KVBytes)}, {"eos_token_id", strings.Trim(fmt.Sprint(a.EOS), "[]")},
		{"chat_template", template}, {"layout", a.Layout},
	}
	for _, key := range slices.Sorted(maps.Keys(a.Generation)) {
		lines = append(lines, [2]any{"generation", models.Setting{Key: key, Value: a.Generation[key]}})
	}
	for _, g := range a.Graphs {
		lines = append(lines, [2]any{"graph", fmt.Sprintf("%s, %s activations", g.File, g.Activations)})
	}
	return lines
}
