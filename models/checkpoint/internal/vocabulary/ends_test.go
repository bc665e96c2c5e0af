package vocabulary

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"textmill/internal/golden"
	"textmill/models/checkpoint/gguf"
	"textmill/tokenize"
)

// reference is a vocabulary and what llama.cpp says of it, made by testdata/llamacpp.py.
type reference struct {
	Name   string
	Keys   map[string]any
	Tokens []string
	Types  []int64
	Scores []float32
	Merges []string
	EOG    []int64 `json:"eog"`
	Texts  []struct {
		Text string
		IDs  []int32 `json:"ids"`
	}
}

// file is a GGUF file without tensors.
type file struct {
	bytes.Buffer
	keys uint64
}

func (w *file) put(values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			w.put(uint64(len(s)))
			w.WriteString(s)
		} else if err := binary.Write(&w.Buffer, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}

func (w *file) key(name string, kind uint32, values ...any) {
	w.keys++
	w.put(name, kind)
	w.put(values...)
}

func (w *file) array(name string, kind uint32, values []any) {
	w.key(name, 9, append([]any{kind, uint64(len(values))}, values...)...)
}

func anys[T any](list []T) (out []any) {
	for _, v := range list {
		out = append(out, v)
	}
	return out
}

func (r *reference) open(t testing.TB) *gguf.File {
	t.Helper()
	w := &file{}
	for name, v := range r.Keys {
		switch v := v.(type) {
		case string:
			w.key(name, 8, v)
		case bool:
			w.key(name, 7, v)
		case float64:
			w.key(name, 4, uint32(v))
		case float32:
			w.key(name, 6, v)
		case []int32:
			w.array(name, 5, anys(v))
		}
	}
	w.array("tokenizer.ggml.tokens", 8, anys(r.Tokens))
	if r.Types != nil {
		var types []any
		for _, n := range r.Types {
			types = append(types, int32(n))
		}
		w.array("tokenizer.ggml.token_type", 5, types)
	}
	if r.Scores != nil {
		w.array("tokenizer.ggml.scores", 6, anys(r.Scores))
	}
	if r.Merges != nil {
		w.array("tokenizer.ggml.merges", 8, anys(r.Merges))
	}
	head := &file{}
	head.put(uint32(0x46554747), uint32(3), uint64(0), w.keys)
	data := append(head.Bytes(), w.Bytes()...)
	f, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// betweenFiles are llama.cpp's ends that are none here: marks between pieces of code.
var betweenFiles = []string{"<|fim_pad|>", "<|repo_name|>", "<reponame>", "<|file_sep|>", "<|fim_repo|>", "[PAD]"}

// ours says how the ends differ from llama.cpp's.
func (r *reference) ours() (ends []int64) {
	unknown, known := r.Keys["tokenizer.ggml.unknown_token_id"].(float64)
	for _, id := range r.EOG {
		name := r.Tokens[id]
		if slices.Contains(betweenFiles, name) || name == "ċ" { // the latter is id 11, which is no token to end with
			continue
		}
		if known && id == int64(unknown) {
			continue
		}
		ends = append(ends, id)
	}
	return ends
}

func readGeneration(t testing.TB, files Files) (ends []int64, all map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal(files["generation_config.json"], &all); err != nil {
		t.Fatal(err)
	}
	if raw := all["eos_token_id"]; len(raw) > 0 && raw[0] != '[' {
		all["eos_token_id"] = slices.Concat([]byte("["), raw, []byte("]"))
	}
	if raw := all["eos_token_id"]; raw != nil {
		if err := json.Unmarshal(raw, &ends); err != nil {
			t.Fatal(err)
		}
	}
	return ends, all
}

// Texts end where llama.cpp ends them, and begin and are cut as there.
func TestEndsAndTokensAreLlamaCPPs(t *testing.T) {
	cases := golden.Values[reference](t, "testdata/llamacpp.jsonl.gz")
	if len(cases) < 30 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, r := range cases {
		t.Run(r.Name, func(t *testing.T) {
			files, err := Build(r.open(t), 32)
			if err != nil {
				t.Fatal(err)
			}
			if ends, _ := readGeneration(t, files); !slices.Equal(ends, r.ours()) {
				t.Errorf("ends at %v, llama.cpp at %v", r.named(ends), r.named(r.EOG))
			}
			tok, err := tokenize.Parse(files["tokenizer.json"])
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range r.Texts {
				enc, err := tok.Encode(text.Text, tokenize.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(enc.IDs, text.IDs) {
					t.Errorf("%q is %v, llama.cpp has %v", text.Text, enc.IDs, text.IDs)
				}
			}
		})
	}
}

func (r *reference) named(ids []int64) (names []string) {
	for _, id := range ids {
		names = append(names, r.Tokens[id])
	}
	return names
}

// SmolLM2's file has <|endoftext|> as its unknown token: its texts end at <|im_end|> alone, as its own configuration says.
func TestSmolLM2EndsAtOneToken(t *testing.T) {
	for _, r := range golden.Values[reference](t, "testdata/llamacpp.jsonl.gz") {
		if r.Name == "smollm, whose unknown token is the end of text" {
			files, err := Build(r.open(t), 32)
			if err != nil {
				t.Fatal(err)
			}
			if ends, _ := readGeneration(t, files); !slices.Equal(r.named(ends), []string{"<|im_end|>"}) {
				t.Errorf("ends at %v", r.named(ends))
			}
			return
		}
	}
	t.Fatal("the case is missing")
}

// What a file says of sampling goes into generation_config.json.
func TestSamplingKeysAreKept(t *testing.T) {
	r := reference{Tokens: []string{"<unk>", "<s>", "</s>", "a"}, Types: []int64{2, 3, 3, 1}, Scores: make([]float32, 4), Keys: map[string]any{
		"tokenizer.ggml.model": "llama", "general.sampling.temp": float32(0.5), "general.sampling.top_k": 20.0,
		"general.sampling.mirostat": 2.0, "general.sampling.sequence": "kt", "tokenizer.ggml.suppress_tokens": []int32{3, 99, -1}}}
	files, err := Build(r.open(t), 32)
	if err != nil {
		t.Fatal(err)
	}
	_, got := readGeneration(t, files)
	for name, want := range map[string]string{"temperature": "0.5", "top_k": "20", "mirostat": "2", "sampler_sequence": `"kt"`, "eos_token_id": "[2]", "suppress_tokens": "[3]"} {
		if text := strings.Join(strings.Fields(string(got[name])), ""); text != want {
			t.Errorf("%s is %s, want %s (%v)", name, text, want, slices.Sorted(maps.Keys(got)))
		}
	}
}

// A vocabulary of any names, kinds and keys is built into files that can be read, or refused.
func FuzzBuild(f *testing.F) {
	f.Add("gpt2", "llama3", "<|eot_id|>\x00<|end|>\x00<|call|>\x00<|return|>", []byte{3, 3, 1, 4}, uint32(0), uint32(9), true)
	f.Add("llama", "", "<unk>\x00<s>\x00</s>\x00<|tool_response>", []byte{2, 3, 3, 3}, uint32(1), uint32(2), false)
	f.Add("bert", "", "[UNK]\x00[CLS]\x00▁a\x00##a\x00a", []byte{3, 3, 1, 1, 1}, uint32(1), uint32(1), true)
	f.Fuzz(func(t *testing.T, model, pre, names string, kinds []byte, bos, eos uint32, adds bool) {
		r := reference{Tokens: strings.Split(names, "\x00"), Keys: map[string]any{"tokenizer.ggml.model": model, "tokenizer.ggml.pre": pre,
			"tokenizer.ggml.bos_token_id": float64(bos), "tokenizer.ggml.eos_token_id": float64(eos), "tokenizer.ggml.unknown_token_id": 0.0,
			"tokenizer.ggml.add_eos_token": adds}, Merges: []string{"a b"}}
		for i := range r.Tokens {
			kind := int64(1)
			if i < len(kinds) {
				kind = int64(kinds[i])
			}
			r.Types, r.Scores = append(r.Types, kind), append(r.Scores, float32(i))
		}
		files, err := Build(r.open(t), 32)
		if err != nil {
			return
		}
		ends, _ := readGeneration(t, files)
		for _, id := range ends {
			if id < 0 || id >= int64(len(r.Tokens)) {
				t.Errorf("end %d of %d tokens", id, len(r.Tokens))
			}
		}
	})
}
