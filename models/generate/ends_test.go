package generate_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"textmill/models/generate"
	"textmill/tokenize"
)

// A stubborn is a Llama of one layer that predicts one token whatever it is given, as a GGUF file.
type stubborn struct {
	keys    map[string]any // string, bool or int
	pieces  []string       // beside GPT-2's letters of ASCII
	kind    int32          // of the pieces
	says    string
	tensors bytes.Buffer
	head    bytes.Buffer
	entries uint64
}

func put(w *bytes.Buffer, values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			put(w, uint64(len(s)))
			w.WriteString(s)
		} else if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}

func (s *stubborn) tensor(name string, rows, columns int, value func(row int) float32) {
	dims := []uint64{uint64(columns), uint64(rows)}
	if rows == 1 {
		dims = dims[:1]
	}
	put(&s.head, name, uint32(len(dims)), dims, uint32(0), uint64(s.tensors.Len()))
	for row := range rows {
		put(&s.tensors, slices.Repeat([]float32{value(row)}, columns))
	}
	for s.tensors.Len()%32 != 0 {
		s.tensors.WriteByte(0)
	}
	s.entries++
}

// write makes the file, and gives its tokens.
func (s *stubborn) write(t *testing.T, path string) []string {
	t.Helper()
	const width = 32
	tokens, kinds := []string{}, []int32{}
	for b := '!'; b <= '~'; b++ {
		tokens, kinds = append(tokens, string(b)), append(kinds, 1)
	}
	for _, p := range s.pieces {
		tokens, kinds = append(tokens, p), append(kinds, s.kind)
	}
	var keys bytes.Buffer
	n := uint64(0)
	key := func(name string, kind uint32, values ...any) {
		put(&keys, name, kind)
		put(&keys, values...)
		n++
	}
	key("general.architecture", 8, "llama")
	for name, v := range map[string]uint32{"block_count": 1, "context_length": 32, "embedding_length": width, "feed_forward_length": width, "attention.head_count": 2} {
		key("llama."+name, 4, v)
	}
	key("llama.attention.layer_norm_rms_epsilon", 6, float32(1e-5))
	key("tokenizer.ggml.model", 8, "gpt2")
	key("tokenizer.ggml.merges", 9, uint32(8), uint64(0))
	key("tokenizer.ggml.tokens", 9, uint32(8), uint64(len(tokens)))
	for _, token := range tokens {
		put(&keys, token)
	}
	key("tokenizer.ggml.token_type", 9, uint32(5), uint64(len(kinds)), kinds)
	for name, v := range s.keys {
		switch v := v.(type) {
		case string:
			if id := slices.Index(tokens, v); id >= 0 {
				key(name, 4, uint32(id))
			} else {
				key(name, 8, v)
			}
		case bool:
			key(name, 7, v)
		}
	}
	one, zero := func(int) float32 { return 1 }, func(int) float32 { return 0 }
	s.tensor("token_embd.weight", len(tokens), width, one)
	s.tensor("output_norm.weight", 1, width, one)
	says := slices.Index(tokens, s.says)
	s.tensor("output.weight", len(tokens), width, func(row int) float32 {
		if row == says {
			return 1
		}
		return 0
	})
	for _, name := range []string{"attn_norm", "ffn_norm"} {
		s.tensor("blk.0."+name+".weight", 1, width, one)
	}
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"} {
		s.tensor("blk.0."+name+".weight", width, width, zero)
	}
	var file bytes.Buffer
	put(&file, uint32(0x46554747), uint32(3), s.entries, n)
	file.Write(keys.Bytes())
	file.Write(s.head.Bytes())
	for file.Len()%32 != 0 {
		file.WriteByte(0)
	}
	file.Write(s.tensors.Bytes())
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// A text ends with what its file's keys or its tokens' names call an end, and goes on after what is none. llama.cpp's answers
// to many more vocabularies are in models/checkpoint/internal/vocabulary.
func TestGGUFTextsEnd(t *testing.T) {
	const k = "tokenizer.ggml."
	llama3 := []string{"<|begin_of_text|>", "<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"}
	llama := map[string]any{k + "pre": "llama-bpe", k + "bos_token_id": "<|begin_of_text|>", k + "eos_token_id": "<|eot_id|>", k + "eot_token_id": "<|eot_id|>"}
	chatML := []string{"<s>", "</s>", "<|im_start|>", "<|im_end|>", "<reponame>"}
	base := map[string]any{k + "pre": "gpt-2", k + "eos_token_id": "</s>"}
	for name, c := range map[string]struct {
		stubborn
		ends   bool
		prompt int // tokens of "Hi"
	}{
		"the end of the text, where eos is that of a turn": {stubborn{keys: llama, pieces: llama3, kind: 3, says: "<|end_of_text|>"}, true, 3},
		"the end of a message":                             {stubborn{keys: llama, pieces: llama3, kind: 3, says: "<|eom_id|>"}, true, 3},
		"a control token that ends nothing":                {stubborn{keys: llama, pieces: llama3, kind: 3, says: "<|python_tag|>"}, false, 3},
		"a base model that was taught ChatML":              {stubborn{keys: base, pieces: chatML, kind: 3, says: "<|im_end|>"}, true, 2},
		"the same, where the token is user-defined":        {stubborn{keys: base, pieces: chatML, kind: 4, says: "<|im_end|>"}, true, 2},
		"a mark between files":                             {stubborn{keys: base, pieces: chatML, kind: 3, says: "<reponame>"}, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.gguf")
			tokens := c.write(t, path)
			spec := generate.Imported(t, path, "")
			tok, err := spec.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			prompt, err := tok.Encode("Hi", tokenize.Options{})
			if err != nil || len(prompt.IDs) != c.prompt {
				t.Fatalf("the prompt is %v, %v", prompt.IDs, err)
			}
			r := all(t, open(t, spec, generate.Options{Slots: 2}), []generate.Request{{Prompt: prompt.IDs, Params: generate.Params{MaxNewTokens: 4}}})[0]
			if tokens[r.IDs[0]] != c.says || c.ends != (len(r.IDs) == 1 && r.Finish == generate.FinishEOS && r.Text == "") || !c.ends && len(r.IDs) != 4 {
				t.Errorf("%v ends with %s: %q", r.IDs, r.Finish, r.Text)
			}
		})
	}
}
