// Package facts says of a model what its own files tell, to people and to programs.
package facts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"textmill/models"
	"textmill/tokenize/chat"
)

// Facts are what programs are told of a model.
type Facts struct {
	Name         string   `json:"name"`
	Task         string   `json:"task"`
	Dir          string   `json:"dir"`
	SHA256       string   `json:"model_sha256"`
	Source       string   `json:"source,omitempty"`
	License      string   `json:"license,omitempty"`
	Architecture string   `json:"architecture,omitempty"`
	Graph        string   `json:"onnx_file"`
	Inputs       []string `json:"inputs"`
	MaxLength    int      `json:"max_length"`
	*Embedding
	*Decoder
}

// Embedding is there for models to embed with, Decoder for those to generate with.
type Embedding struct {
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

// Decoder is of models to generate with.
type Decoder struct {
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

// A Line is one fact, for people.
type Line struct{ Name, Value string }

// Of reads what a model's files tell; notes are what is wrong with them.
func Of(s *models.Spec) (f Facts, notes []string) {
	f = Facts{Name: s.Name, Task: s.Task, Dir: s.Dir, SHA256: s.SHA256, Source: s.Source, License: licenseOf(s),
		Architecture: s.Architecture, Graph: s.Graph, Inputs: s.Inputs, MaxLength: s.MaxLength}
	d := s.Decoder
	if d == nil {
		f.Embedding = &Embedding{
			Dim: s.Dim, Pooling: s.Pooling, PooledInGraph: s.PooledInGraph, Normalize: s.Normalize, Prompts: s.Prompts,
			Modules: s.StepNames(), Truncate: s.Truncate, Similarity: s.Similarity, DefaultPrompt: s.DefaultPrompt,
			PaddingSide: s.PaddingSide, PadID: s.PadID,
		}
		return f, nil
	}
	f.Decoder = &Decoder{
		Layers: d.Layers, Heads: d.Heads, KVHeads: d.KVHeads, HeadSize: d.HeadSize, HiddenSize: d.HiddenSize,
		VocabSize: d.VocabSize,
		Precision: d.Precision, KVBytes: d.KVBytes(), EOS: s.Generation.EOS, Layout: d.Layout, Graphs: d.Graphs,
	}
	if len(s.Generation.Set) > 0 {
		f.Generation = map[string]json.RawMessage{}
		for _, set := range s.Generation.Set {
			f.Generation[set.Key] = set.Value
		}
	}
	c, err := chat.LoadConfig(s.Dir)
	if err != nil {
		return f, []string{err.Error()}
	}
	f.ChatTemplate = c.HasTemplate()
	return f, nil
}

// Lines are the facts one after the other.
func (f Facts) Lines() []Line {
	lines := linesOf([][2]any{
		{"name", f.Name}, {"task", f.Task}, {"architecture", cmp.Or(f.Architecture, "not said")}, {"directory", f.Dir},
		{"source", f.Source}, {"license", cmp.Or(f.License, "not said")},
		{"model_sha256", f.SHA256}, {"onnx_file", f.Graph}, {"inputs", f.inputs()}, {"max_length", f.MaxLength},
	})
	if f.Embedding != nil {
		return append(lines, f.Embedding.lines()...)
	}
	return append(lines, f.Decoder.lines()...)
}

func linesOf(pairs [][2]any) []Line {
	lines := make([]Line, len(pairs))
	for i, p := range pairs {
		lines[i] = Line{fmt.Sprint(p[0]), fmt.Sprint(p[1])}
	}
	return lines
}

// inputs are the names of the graph's, those of the KV cache in short.
func (f Facts) inputs() string {
	names := slices.DeleteFunc(slices.Clone(f.Inputs),
		func(n string) bool { return strings.HasPrefix(n, "past_key_values.") })
	if n := len(f.Inputs) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("past_key_values (%d)", n))
	}
	return strings.Join(names, ", ")
}

func (e *Embedding) lines() []Line {
	lines := linesOf([][2]any{
		{"dim", e.Dim}, {"pooling", e.Pooling}, {"pooled_in_graph", e.PooledInGraph},
		{"modules behind the pooling", cmp.Or(strings.Join(e.Modules, ", "), "none")},
		{"normalize", e.Normalize}, {"truncate_dim", cmp.Or(e.Truncate, e.Dim)},
		{"similarity_fn_name", cmp.Or(e.Similarity, "not said")},
		{"default_prompt", e.DefaultPrompt}, {"padding", fmt.Sprintf("%s, id %d", e.PaddingSide, e.PadID)},
	})
	for _, name := range slices.Sorted(maps.Keys(e.Prompts)) {
		lines = append(lines, Line{"prompt " + name, fmt.Sprintf("%q", e.Prompts[name])})
	}
	return lines
}

func (d *Decoder) lines() []Line {
	template := "none: messages are refused"
	if d.ChatTemplate {
		template = "present"
	}
	lines := linesOf([][2]any{
		{"layers", d.Layers}, {"heads", fmt.Sprintf("%d of %d dimensions, %d for keys and values", d.Heads, d.HeadSize,
			d.KVHeads)},
		{"hidden_size", d.HiddenSize}, {"vocab_size", d.VocabSize}, {"precision", cmp.Or(d.Precision, "not said")},
		{"kv_cache", fmt.Sprintf("%d bytes a token", d.KVBytes)}, {"eos_token_id", strings.Trim(fmt.Sprint(d.EOS), "[]")},
		{"chat_template", template}, {"layout", d.Layout},
	})
	for _, key := range slices.Sorted(maps.Keys(d.Generation)) {
		lines = append(lines, Line{"generation", fmt.Sprint(models.Setting{Key: key, Value: d.Generation[key]})})
	}
	for _, g := range d.Graphs {
		lines = append(lines, Line{"graph", fmt.Sprintf("%s, %s activations", g.File, g.Activations)})
	}
	return lines
}
