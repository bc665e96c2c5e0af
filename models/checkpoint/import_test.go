package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/ground/flock"
	"textmill/ground/naming"
	"textmill/internal/golden"
	"textmill/models/checkpoint"
	"textmill/tokenize"
)

// A chat is a prompt of models/generate/testdata/greedy.jsonl.gz as text.
type chat struct {
	Text string  `json:"chat_prompt"`
	IDs  []int32 `json:"prompt_ids"`
}

func TestTokenizerComesOutOfTheGGUF(t *testing.T) {
	dir := importSmolLM2(t, checkpoint.AsIs).Dir
	tok, err := tokenize.Load(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Values[chat](t, "../generate/testdata/greedy.jsonl.gz") {
		e, err := tok.Encode(c.Text, tokenize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.IDs) != len(c.IDs) {
			t.Fatalf("%q: %d tokens, transformers has %d", c.Text, len(e.IDs), len(c.IDs))
		}
		for i := range c.IDs {
			if e.IDs[i] != c.IDs[i] {
				t.Errorf("%q: token %d is %d, transformers has %d", c.Text, i, e.IDs[i], c.IDs[i])
			}
		}
	}
	var config struct {
		Template string `json:"chat_template"`
		EOS      string `json:"eos_token"`
	}
	var generation struct {
		EOS int `json:"eos_token_id"`
	}
	readJSON(t, filepath.Join(dir, "tokenizer_config.json"), &config)
	readJSON(t, filepath.Join(dir, "generation_config.json"), &generation)
	if !strings.Contains(config.Template, "You are a helpful AI assistant named SmolLM") || config.EOS != "<|im_end|>" || generation.EOS != end {
		t.Errorf("%+v, %+v", config, generation)
	}
	spec := openBundle(t, dir)
	if spec.Task != naming.TaskGenerate || spec.Verify(t.Context()) != nil {
		t.Errorf("bundle %+v", spec)
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copyTiny copies a tiny checkpoint so that it can be damaged.
func copyTiny(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "tiny", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func replace(t *testing.T, path, old, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(to), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpointsThatCannotBeImportedLeaveNothing(t *testing.T) {
	for _, c := range []struct {
		name, want string
		damage     func(t *testing.T, dir string)
		options    checkpoint.Options
	}{
		{name: "unknown architecture", want: "MambaForCausalLM", damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "config.json"), "LlamaForCausalLM", "MambaForCausalLM")
		}},
		{name: "a tensor is missing", want: "model.layers.1.mlp.up_proj.weight", damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "model.safetensors"), "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.uq_proj.weight")
		}},
		{name: "a tensor has another shape", want: "model.embed_tokens.weight: its shape is [64 32]", damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "config.json"), `"vocab_size": 64`, `"vocab_size": 65`)
		}},
		{name: "a tensor of another type", want: "has type F8_E5M2", damage: func(t *testing.T, dir string) {
			growHeader(t, filepath.Join(dir, "model.safetensors"), `"BF16"`, `"F8_E5M2"`)
		}},
		{name: "no tokenizer", want: "tokenizer.json", damage: func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no such file", want: "no such file", damage: func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "unknown precision", want: `"q3"`, options: checkpoint.Options{Precision: "q3"}},
		{name: "impossible name", want: `"a/b"`, options: checkpoint.Options{Name: "a/b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := copyTiny(t, "llama")
			if c.damage != nil {
				c.damage(t, source)
			}
			o := c.options
			o.Source, o.Dir = source, t.TempDir()
			_, err := checkpoint.Import(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %s", err, c.want)
			}
			if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestStaticModelsThatCannotBeImportedLeaveNothing(t *testing.T) {
	for _, c := range []struct {
		name, model, want string
		damage            func(t *testing.T, dir string)
		options           checkpoint.Options
	}{
		{name: "no table", model: "model2vec", want: "neither the tensor embeddings", damage: func(t *testing.T, dir string) {
			growHeader(t, filepath.Join(dir, "model.safetensors"), `"embeddings"`, `"embedding_"`)
		}},
		{name: "tokens without a row", model: "model2vec", want: "token IDs up to 2000", damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "tokenizer.json"), `"the":4`, `"the":2000`)
		}},
		{name: "a mapping out of the table", model: "model2vec-mapped", want: "tensor mapping leads token 0 to row", damage: func(t *testing.T, dir string) {
			path := filepath.Join(dir, "model.safetensors")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			n := int(binary.LittleEndian.Uint64(data))
			var header map[string]struct {
				At []int `json:"data_offsets"`
			}
			if err := json.Unmarshal(data[8:8+n], &header); err != nil {
				t.Fatal(err)
			}
			binary.LittleEndian.PutUint64(data[8+n+header["mapping"].At[0]:], 5000)
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "max_length", model: "model2vec", want: `max_length is -3`, damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "config.json"), `"max_length": 24`, `"max_length": -3`)
		}},
		{name: "a module after it", model: "static-embedding", want: "modules.dense.Dense after StaticEmbedding", damage: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "modules.json"), "modules.normalize.Normalize", "modules.dense.Dense")
		}},
		{name: "blocks", model: "model2vec", want: "precision q4", options: checkpoint.Options{Precision: checkpoint.Q4}},
		{name: "a graph for a card", model: "model2vec", want: "runs on the processor", options: checkpoint.Options{Card: &checkpoint.CardOptions{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.options
			o.Source, o.Dir = copyTiny(t, c.model), t.TempDir()
			if c.damage != nil {
				c.damage(t, o.Source)
			}
			_, err := checkpoint.Import(t.Context(), o)
			if !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %s", err, c.want)
			}
			if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// growHeader replaces a text in the header of a safetensors file by one of another length.
func growHeader(t *testing.T, path, old, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	header := strings.Replace(string(data[8:8+n]), old, to, 1)
	grown := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	if err := os.WriteFile(path, append(grown, data[8+n:]...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestImportKeepsWhatIsThere(t *testing.T) {
	o := checkpoint.Options{Source: filepath.Join("testdata", "tiny", "llama"), Dir: t.TempDir()}
	r, err := checkpoint.Import(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "llama" || r.Dir != filepath.Join(o.Dir, "llama") || len(r.Files) == 0 {
		t.Errorf("%+v", r)
	}
	if _, err := checkpoint.Import(t.Context(), o); !errors.Is(err, checkpoint.ErrExists) {
		t.Errorf("a second import: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Name = "other"
	if _, err := checkpoint.Import(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled import: %v", err)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Precisions change the logits only as much as their bits explain.
func TestPrecisionsAreNear(t *testing.T) {
	rows := readReference(t, "llama")
	for precision, bound := range map[string]float64{checkpoint.FP32: 2e-4, checkpoint.AsIs: 2e-4, checkpoint.Q8: 0.3, checkpoint.Q4: 6} {
		s := openSlots(t, importTiny(t, "llama", precision).Dir, 0, 1, 16)
		logits, worst := s.run(0, [][]int64{rows[0].IDs}, true), 0.0
		for i, want := range rows[0].Values {
			worst = max(worst, far(logits[i], want))
		}
		if t.Logf("%s: logits are off by %g at most", precision, worst); !(worst < bound) {
			t.Errorf("%s: logits are off by %g, want less than %g", precision, worst, bound)
		}
	}
}

func TestImportRemovesWhatKilledOnesLeft(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for name, at := range map[string]time.Time{"left": long, "busy": long, "young": time.Now()} {
		path := filepath.Join(dir, ".import-"+name)
		if err := errors.Join(os.MkdirAll(filepath.Join(path, "onnx"), 0o755), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	busy, err := os.Open(filepath.Join(dir, ".import-busy"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := flock.Try(busy); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join("testdata", "tiny", "bert"), Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var there []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if want := []string{".import-busy", ".import-young", "bert"}; err != nil || !slices.Equal(there, want) {
		t.Errorf("there is %v (%v), want %v", there, err, want)
	}
}
