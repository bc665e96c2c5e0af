package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
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
	"textmill/tokenize"
)

// A sentence is a line of testdata/tiny/*/texts.json, which testdata/encoders.py makes.
type sentence struct {
	Text      string    `json:"text"`
	Prompt    string    `json:"prompt"`
	Embedding []float32 `json:"embedding"`
}

// From text to vector as in sentence-transformers: alone, all together, and together in another order.
func TestDirectoriesEmbedAsInSentenceTransformers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "tiny", "*", "texts.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			var sentences []sentence
			readJSON(t, file, &sentences)
			spec := openBundle(t, importTiny(t, name, checkpoint.FP32).Dir)
			e := openEmbedder(t, spec, session.Options{BatchTokens: 4096})
			defer e.Close() //nolint:errcheck // of a test
			rows, cut := tokenized(t, spec, sentences)
			if cut == 0 {
				t.Error("no text is longer than the model takes")
			}
			check := func(how string, of []sentence, rows []embed.Row) {
				t.Helper()
				vectors, err := e.Embed(t.Context(), rows)
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range of {
					if k := cosine(vectors[i], s.Embedding); !(k >= 0.99999) {
						t.Errorf("%s: %q with prompt %q: cosine %v", how, s.Text, s.Prompt, k)
					}
				}
			}
			for i := range rows {
				check("alone", sentences[i:i+1], rows[i:i+1])
			}
			check("together", sentences, rows)
			slices.Reverse(sentences)
			slices.Reverse(rows)
			check("in another order", sentences, rows)
		})
	}
}

// tokenized also tells how many texts were cut to what the model takes.
func tokenized(t *testing.T, spec *models.Spec, sentences []sentence) (rows []embed.Row, cut int) {
	t.Helper()
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sentences {
		text := s.Text
		if s.Prompt != "" {
			prompt, ok := spec.Prompts[s.Prompt]
			if !ok {
				t.Fatalf("the model has no prompt %q", s.Prompt)
			}
			text = prompt + text
		}
		e, err := tok.Encode(text, tokenize.Options{Truncation: &tokenize.Truncation{MaxLength: spec.MaxLength}})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Overflowing) > 0 {
			cut++
		}
		rows = append(rows, embed.Row{IDs: e.IDs})
	}
	return rows, cut
}

// The same weights as fp32 instead of bf16 make the same bundle.
func TestEncodersAreReadInEveryType(t *testing.T) {
	for _, name := range provedBy("hidden") {
		t.Run(name, func(t *testing.T) {
			other := copyTiny(t, name)
			widen(t, filepath.Join(other, "model.safetensors"))
			want := importTiny(t, name, checkpoint.FP32)
			got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: other, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Files, want.Files) {
				t.Errorf("as fp32 it makes %v, as bf16 %v", got.Files, want.Files)
			}
		})
	}
}

// widen writes a file of safetensors again, with fp32 where it has bf16.
func widen(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := binary.LittleEndian.Uint64(data)
	var header map[string]*struct {
		Type    string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal([]byte(strings.Replace(string(data[8:8+size]), `"__metadata__":{"format":"pt"},`, "", 1)), &header); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, h := range header {
		values := data[8+size:][h.Offsets[0]:h.Offsets[1]]
		h.Offsets[0] = len(out)
		for i := 0; h.Type == "BF16" && i < len(values); i += 2 {
			out = append(out, 0, 0, values[i], values[i+1])
		}
		if h.Type == "BF16" {
			h.Type = "F32"
		} else {
			out = append(out, values...)
		}
		h.Offsets[1] = len(out)
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	all := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, append(all, out...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// modules.json may call the encoder by its bare name, in a folder of its own too.
func TestABareTransformerIsTheEncoder(t *testing.T) {
	dir := copyDir(t, "testdata/embedders/folders")
	change(t, dir, "modules.json", "sentence_transformers.base.modules.transformer.Transformer", "Transformer")
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: dir, Dir: t.TempDir(), Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if spec := openBundle(t, r.Dir); spec.Task != naming.TaskEmbed {
		t.Errorf("task %q", spec.Task)
	}
}
