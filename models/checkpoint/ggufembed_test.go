package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// ggufText is a text with what llama.cpp makes of it: testdata/ggufembedders.py.
type ggufText struct {
	Text   string      `json:"text"`
	IDs    []int32     `json:"ids"`
	Values [][]float32 `json:"values"` // one vector, or one a token
}

// TestGGUFFilesEmbedAsInLlamaCPP holds that files that say how vectors are pooled are imported to embed, and come to
// llama.cpp's tokens and vectors.
func TestGGUFFilesEmbedAsInLlamaCPP(t *testing.T) {
	files, err := filepath.Glob("testdata/ggufembedders/*.gguf")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var texts []ggufText
			readJSON(t, strings.TrimSuffix(file, ".gguf")+".json", &texts)
			r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: file, Dir: t.TempDir(), Name: "m"})
			if err != nil {
				t.Fatal(err)
			}
			spec := openBundle(t, r.Dir)
			tok, err := spec.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			var rows []embed.Row
			for _, text := range texts {
				body, _, err := tok.AppendBody(nil, nil, text.Text)
				if err != nil {
					t.Fatal(err)
				}
				ids, _ := tok.AppendInput(nil, nil, body)
				if !slices.Equal(ids, text.IDs) {
					t.Errorf("%q is %v, llama.cpp has %v", text.Text, ids, text.IDs)
				}
				rows = append(rows, embed.Row{IDs: ids})
			}
			e := openEmbedder(t, spec, session.Options{BatchTokens: 256})
			defer e.Close() //nolint:errcheck // of a test
			vectors, err := e.Embed(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			if r.Task != naming.TaskEmbed || spec.Normalize != (spec.Pooling != models.PoolNone) {
				t.Errorf("task %s, pooling %s, normalized: %v", r.Task, spec.Pooling, spec.Normalize)
			}
			compareGGUF(t, spec, texts, vectors)
		})
	}
}

// compareGGUF compares vectors with llama.cpp's.
func compareGGUF(t *testing.T, spec *models.Spec, texts []ggufText, vectors [][]float32) {
	t.Helper()
	for i, text := range texts {
		size := len(vectors[i]) / len(text.Values)
		for j, want := range text.Values {
			got := vectors[i][j*size:][:size]
			if near := cosine(got, want); len(got) != len(want) || !(near >= 0.99999) {
				t.Errorf("%q, vector %d: cosine %v to llama.cpp's, %d dimensions of %d", text.Text, j, near, len(got), len(want))
			}
			if off := far(got, want); !spec.Normalize && !(off < 1e-2) { // others are brought to length 1 later
				t.Errorf("%q, vector %d is off by %g", text.Text, j, off)
			}
		}
	}
}

// TestGGUFFilesThatDoNotEmbedAreRefusedByName holds what becomes of other poolings and of other questions.
func TestGGUFFilesThatDoNotEmbedAreRefusedByName(t *testing.T) {
	const dir = "testdata/ggufembedders/"
	number := func(key string, n uint32) func(t *testing.T, f []byte) {
		return func(t *testing.T, f []byte) { binary.LittleEndian.PutUint32(after(t, f, key)[4:], n) }
	}
	for _, c := range []struct {
		name, file, task, want string
		damage                 func(t *testing.T, file []byte)
	}{
		{"ranks", "qwen3.gguf", "", "qwen3.pooling_type is 4, rank", number("qwen3.pooling_type", 4)},
		{"an encoder that ranks", "bert.gguf", "", "bert.pooling_type is 4, rank", number("bert.pooling_type", 4)},
		{"unknown pooling", "bert.gguf", "", "bert.pooling_type is 9; known are 0 (none), 1 (mean), 2 (cls) and 3 (last)",
			number("bert.pooling_type", 9)},
		{"pooling that is no integer", "qwen3.gguf", "", "qwen3.pooling_type is no integer",
			func(t *testing.T, f []byte) { binary.LittleEndian.PutUint32(after(t, f, "qwen3.pooling_type"), 6) }},
		{"a causal encoder", "bert.gguf", "", "bert.attention.causal is set",
			func(t *testing.T, f []byte) { after(t, f, "bert.attention.causal")[4] = 1 }},
		{"asked to generate", "qwen3.gguf", naming.TaskGenerate, "qwen3.pooling_type is 3, so it was made to embed", nil},
		{"both ways, asked to generate", "llama-both-ways.gguf", naming.TaskGenerate, "was made to embed", nil},
		{"a tensor is missing", "nomic-bert.gguf", "", "encoder.layers.1.norm2.weight",
			func(t *testing.T, f []byte) {
				copy(f[strings.Index(string(f), "blk.1.layer_output_norm.weight"):], "blk.1.layer_output_norn.weight")
			}},
		{"no token for the end of a text", "bert.gguf", "", "seperator_token_id",
			func(t *testing.T, f []byte) {
				copy(f[strings.Index(string(f), "tokenizer.ggml.seperator_token_id"):], "tokenizer.ggml.sxperator_token_id")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := read(t, dir+c.file)
			if c.damage != nil {
				c.damage(t, data)
			}
			source, made := filepath.Join(t.TempDir(), "x.gguf"), filepath.Join(t.TempDir(), "models")
			if err := os.WriteFile(source, data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: made, Task: c.task})
			if left, _ := os.ReadDir(made); err == nil || !strings.Contains(err.Error(), c.want) || len(left) > 0 {
				t.Errorf("%v, want it to say %q; left %v", err, c.want, left)
			}
			if c.task != "" && !errors.Is(err, checkpoint.ErrUnsupported) {
				t.Error(err)
			}
		})
	}
}

// A file that says how vectors are pooled, of a family that only generates, is no generator.
func TestGGUFFilesOfGeneratorsThatPoolAreRefused(t *testing.T) {
	const key, pad = "gemma2.pooling_type", "general.other" // 64 bytes together keep the tensors where they are
	var more []byte
	for _, k := range []string{key, pad} {
		more = append(binary.LittleEndian.AppendUint64(more, uint64(len(k))), k...)
		more = append(more, 4, 0, 0, 0, 1, 0, 0, 0)
	}
	data := slices.Insert(read(t, "testdata/gemma2.gguf"), 24, more...)
	data[16] += 2 // keys
	source, made := filepath.Join(t.TempDir(), "x.gguf"), filepath.Join(t.TempDir(), "models")
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: made})
	left, _ := os.ReadDir(made)
	if !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), key+" is 1") || !strings.Contains(err.Error(), "Gemma2ForCausalLM") || len(left) > 0 {
		t.Errorf("%v, left %v", err, left)
	}
}
