package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/models/internal/tiny"
)

func TestDefaultModelSpeaksForItself(t *testing.T) {
	s := testSpec(t)
	if s.Name != "all-MiniLM-L6-v2" || s.Task != naming.TaskEmbed || s.MaxLength != 256 || s.Dim != 384 || s.Pooling != PoolMean || !s.Normalize ||
		s.PaddingSide != "right" || s.PadID != 0 || s.Lowercase || s.BatchDependent || s.PooledInGraph || s.Graph != "onnx/model.onnx" {
		t.Errorf("%+v", s)
	}
	if want := []string{"input_ids", "attention_mask", "token_type_ids"}; !slices.Equal(s.Inputs, want) {
		t.Errorf("inputs %v, want %v", s.Inputs, want)
	}
	for _, both := range [][]string{
		{"256", "sentence_bert_config.json", "512", "tokenizer_config.json"},
		{"256", "sentence_bert_config.json", "128", "tokenizer.json"},
	} {
		if !slices.ContainsFunc(s.Notes, func(n string) bool {
			return !slices.ContainsFunc(both, func(part string) bool { return !strings.Contains(n, part) })
		}) {
			t.Errorf("no note names %v in %q", both, s.Notes)
		}
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Tokenizer(); err != nil {
		t.Error(err)
	}
}

func TestIdentityIsTheHashOfSortedLines(t *testing.T) {
	dir := tiny.Bundle(t, tiny.Model{}, nil)
	s, err := OpenBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json",
		"sentence_bert_config.json", "config_sentence_transformers.json", "onnx/model.onnx"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	if want := hex.EncodeToString(sum[:]); s.SHA256 != want {
		t.Errorf("model_sha256 %s, want %s", s.SHA256, want)
	}
	if !strings.Contains(strings.Join(s.Notes, "\n"), "first open") {
		t.Errorf("notes %q do not say that hashes were taken at first open", s.Notes)
	}
	again, err := OpenBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.SHA256 != s.SHA256 || strings.Contains(strings.Join(again.Notes, "\n"), "first open") {
		t.Errorf("opened again: %s, %q", again.SHA256, again.Notes)
	}
}

func TestBundlesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		model  tiny.Model
		change tiny.Files
		says   []string
	}{
		{"longer than its positions", tiny.Model{}, tiny.Files{"sentence_bert_config.json": `{"max_seq_length":9}`}, []string{"sentence_bert_config.json", "9", "8", "max_position_embeddings"}},
		{"pooling of another dimension", tiny.Model{}, tiny.Files{"1_Pooling/config.json": `{"word_embedding_dimension":6,"pooling_mode_mean_tokens":true}`}, []string{"1_Pooling/config.json", "6", "config.json", "4"}},
		{"graph of another dimension", tiny.Model{}, tiny.Files{"config.json": `{"hidden_size":5,"max_position_embeddings":8,"pad_token_id":0}`, "1_Pooling/config.json": `{"pooling_mode_mean_tokens":true}`}, []string{"last_hidden_state", "4", "config.json", "5"}},
		{"no pad id", tiny.Model{}, tiny.Files{"config.json": `{"hidden_size":4,"max_position_embeddings":8}`, "tokenizer_config.json": `{}`}, []string{"pad"}},
		{"a pooling we do not do", tiny.Model{}, tiny.Files{"1_Pooling/config.json": `{"pooling_mode":["mean","median"]}`}, []string{"1_Pooling/config.json", "median", "lasttoken and none"}},
		{"a pooling flag we do not know", tiny.Model{}, tiny.Files{"1_Pooling/config.json": `{"pooling_mode_median_tokens":true}`}, []string{"1_Pooling/config.json", "pooling_mode_median_tokens"}},
		{"a pooling of every token and of all", tiny.Model{}, tiny.Files{"1_Pooling/config.json": `{"pooling_mode":["mean","none"]}`}, []string{"mean+none"}},
		{"a length of before", tiny.Model{}, tiny.Files{"sentence_bert_config.json": "", "sentence_roberta_config.json": `{"max_seq_length":9}`}, []string{"sentence_roberta_config.json", "9", "8"}},
		{"a pooling that is no name", tiny.Model{}, tiny.Files{"1_Pooling/config.json": `{"pooling_mode":7}`}, []string{"1_Pooling/config.json", "pooling_mode"}},
		{"a module we do not do", tiny.Model{}, tiny.Files{"modules.json": behind("WordWeights", "2_WordWeights")}, []string{"modules.json", "WordWeights"}},
		{"a dense layer before the pooling", tiny.Model{}, tiny.Files{"modules.json": `[{"path":"","type":"x.Transformer"},{"path":"2_Dense","type":"x.Dense"}]`}, []string{"2_Dense", "before the Pooling"}},
		{"two poolings one after the other", tiny.Model{}, tiny.Files{"modules.json": behind("Pooling", "1_Pooling")}, []string{"two Pooling"}},
		{"no pooling", tiny.Model{}, tiny.Files{"modules.json": `[{"path":"","type":"x.Transformer"}]`}, []string{"no Pooling module"}},
		{"a dense layer without its config", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense")}, []string{"2_Dense/config.json"}},
		{"a dense layer outside", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "../2_Dense")}, []string{"../2_Dense", "outside"}},
		{"a dense layer without its size", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4}`}, []string{"2_Dense/config.json", "out_features"}},
		{"a dense layer without weights", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":2}`}, []string{"2_Dense/model.safetensors", "missing"}},
		{"a dense layer in a pickle", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":2}`, "2_Dense/pytorch_model.bin": "x"}, []string{"2_Dense/pytorch_model.bin", "pickle", "model.safetensors"}},
		{"a dense layer of another size", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":5,"out_features":2}`, "2_Dense/model.safetensors": "x"}, []string{"Dense", "takes 5", "4"}},
		{"an activation we do not do", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":2,"activation_function":"torch.nn.modules.activation.Softshrink"}`, "2_Dense/model.safetensors": "x"}, []string{"2_Dense/config.json", "Softshrink"}},
		{"an activation of someone's own", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":2,"activation_function":"mine.Tanh"}`, "2_Dense/model.safetensors": "x"}, []string{"2_Dense/config.json", "mine.Tanh"}},
		{"a dense layer for tokens", tiny.Model{}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":2,"module_input_name":"token_embeddings"}`, "2_Dense/model.safetensors": "x"}, []string{"2_Dense/config.json", "module_input_name"}},
		{"a norm without its size", tiny.Model{}, tiny.Files{"modules.json": behind("LayerNorm", "2_LayerNorm"), "2_LayerNorm/config.json": `{}`}, []string{"2_LayerNorm/config.json", "dimension"}},
		{"a graph that pools, and a dense layer", tiny.Model{Pooled: true}, tiny.Files{"modules.json": behind("Dense", "2_Dense"), "2_Dense/config.json": `{"in_features":4,"out_features":4}`, "2_Dense/model.safetensors": "x"}, []string{"Dense", "inside the graph"}},
		{"another task of transformers", tiny.Model{}, tiny.Files{"sentence_bert_config.json": `{"transformer_task":"fill-mask"}`}, []string{"sentence_bert_config.json", "fill-mask"}},
		{"another output", tiny.Model{}, tiny.Files{"sentence_bert_config.json": `{"modality_config":{"text":{"method_output_name":"pooler_output"}}}`}, []string{"sentence_bert_config.json", "pooler_output"}},
		{"no length anywhere", tiny.Model{}, tiny.Files{"config.json": `{"hidden_size":4,"pad_token_id":0}`, "sentence_bert_config.json": "", "tokenizer_config.json": `{"model_max_length":1000000000000000019884624838656}`}, []string{"how long"}},
		{"unknown default prompt", tiny.Model{}, tiny.Files{"config_sentence_transformers.json": `{"prompts":{},"default_prompt_name":"query"}`}, []string{"query"}},
		{"a broken config", tiny.Model{}, tiny.Files{"config.json": `{"hidden_size":`}, []string{"config.json"}},
		{"no config", tiny.Model{}, tiny.Files{"config.json": ""}, []string{"config.json"}},
		{"no tokenizer", tiny.Model{}, tiny.Files{"tokenizer.json": ""}, []string{"tokenizer.json"}},
		{"no pooling config", tiny.Model{}, tiny.Files{"1_Pooling/config.json": ""}, []string{"1_Pooling/config.json"}},
		{"a pad id that no token has", tiny.Model{}, tiny.Files{"config.json": `{"hidden_size":4,"max_position_embeddings":8}`, "tokenizer_config.json": `{}`, "tokenizer.json": `{"padding":{"pad_id":-1}}`}, []string{"-1", "tokenizer.json"}},
		{"a pooling config outside", tiny.Model{}, tiny.Files{"modules.json": `[{"path":"","type":"x.Transformer"},{"path":"../x","type":"x.Pooling"}]`}, []string{"modules.json", "../x"}},
		{"no position that can be used", tiny.Model{}, tiny.Files{"config.json": `{"model_type":"roberta","hidden_size":4,"max_position_embeddings":8,"pad_token_id":7}`, "sentence_bert_config.json": ""}, []string{"0 tokens", "roberta", "8"}},
		{"an input we cannot feed", tiny.Model{Extra: "pixel_values"}, nil, []string{"pixel_values"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenBundle(tiny.Bundle(t, c.model, c.change))
			if !errors.Is(err, ErrBundle) {
				t.Fatalf("%v, want ErrBundle", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not name %q", err, s)
				}
			}
		})
	}
}

// behind is modules.json with a module behind the pooling.
func behind(kind, path string) string {
	return `[{"path":"","type":"x.Transformer"},{"path":"1_Pooling","type":"x.Pooling"},{"path":"` + path + `","type":"x.` + kind + `"}]`
}

func TestDamagedBundles(t *testing.T) {
	model := filepath.Join("onnx", "model.onnx")
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		says   []string
	}{
		{"a truncated graph", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, model), 200); err != nil {
				t.Fatal(err)
			}
		}, []string{model, "200 bytes", "recorded", "textmill models pull"}},
		{"a graph that is gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, model)); err != nil {
				t.Fatal(err)
			}
		}, []string{model, "missing", "textmill models pull"}},
		{"a config that came later", func(t *testing.T, dir string) {
			tiny.WriteFile(t, filepath.Join(dir, "sentence_bert_config.json"), []byte(`{}`))
		}, []string{"sentence_bert_config.json", RecordName}},
		{"another record", func(t *testing.T, dir string) {
			tiny.WriteFile(t, filepath.Join(dir, RecordName), []byte("{"))
		}, []string{RecordName}},
		{"a record of files elsewhere", func(t *testing.T, dir string) {
			tiny.WriteFile(t, filepath.Join(dir, RecordName), []byte(`{"files":[{"path":"../x"}]}`))
		}, []string{"../x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tiny.Bundle(t, tiny.Model{}, tiny.Files{"sentence_bert_config.json": ""})
			if _, err := OpenBundle(dir); err != nil {
				t.Fatal(err)
			}
			c.damage(t, dir)
			_, err := OpenBundle(dir)
			if err == nil {
				t.Fatal("opened")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not name %q", err, s)
				}
			}
		})
	}
}

func TestUnreadableGraphs(t *testing.T) {
	whole := tiny.Model{}.ONNX(t, "")
	for name, data := range map[string][]byte{
		"empty":       {},
		"half of it":  whole[:len(whole)/2],
		"no protobuf": []byte("<!DOCTYPE html><html>Not found</html>"),
	} {
		dir := tiny.Bundle(t, tiny.Model{}, nil)
		path := filepath.Join(dir, "onnx", "model.onnx")
		tiny.WriteFile(t, path, data)
		_, err := OpenBundle(dir)
		if !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want ErrBundle naming %s", name, err, path)
		}
	}
	dir := tiny.Bundle(t, tiny.Model{External: "weights.bin"}, nil)
	if err := os.Remove(filepath.Join(dir, "onnx", "weights.bin")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBundle(dir); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), "weights.bin") {
		t.Errorf("without external weights: %v", err)
	}
}

func TestChoiceAmongGraphs(t *testing.T) {
	dir := tiny.Bundle(t, tiny.Model{Quantize: true}, nil)
	onnx := filepath.Join(dir, "onnx")
	if err := os.Rename(filepath.Join(onnx, "model.onnx"), filepath.Join(onnx, "a_quantized.onnx")); err != nil {
		t.Fatal(err)
	}
	tiny.WriteFile(t, filepath.Join(onnx, "plain.onnx"), tiny.Model{External: "plain.data"}.ONNX(t, onnx))
	s, err := OpenBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Graph != "onnx/plain.onnx" || s.BatchDependent {
		t.Errorf("chose %s, batch dependent %v", s.Graph, s.BatchDependent)
	}
	if slices.ContainsFunc(s.Files, func(f File) bool { return f.Path == "onnx/a_quantized.onnx" }) {
		t.Error("the graph that does not run is part of the model's identity")
	}
	q, err := OpenGraph(dir, "a_quantized")
	if err != nil {
		t.Fatal(err)
	}
	if q.Graph != "onnx/a_quantized.onnx" || !q.BatchDependent || !strings.Contains(strings.Join(q.Notes, "\n"), "batch-mates") {
		t.Errorf("chose %s, batch dependent %v, notes %q", q.Graph, q.BatchDependent, q.Notes)
	}
	if q.SHA256 == s.SHA256 {
		t.Error("two graphs have one identity")
	}
	if _, err := OpenGraph(dir, "absent"); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), "onnx/plain.onnx") {
		t.Errorf("absent graph: %v", err)
	}
}

func TestListLeavesTheBadOnesOut(t *testing.T) {
	home := t.TempDir()
	if specs, errs := ListBundles(home); len(specs)+len(errs) > 0 {
		t.Errorf("empty home: %v, %v", specs, errs)
	}
	if err := os.MkdirAll(places.Model(home, "broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tiny.Bundle(t, tiny.Model{}, nil), places.Model(home, "good")); err != nil {
		t.Fatal(err)
	}
	specs, errs := ListBundles(home)
	if len(specs) != 1 || specs[0].Name != "good" || len(errs) != 1 || !strings.Contains(errs[0].Error(), "broken") {
		t.Errorf("%v, %v", specs, errs)
	}
}
