package tokenize

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// What Hugging Face's tokenizers 0.23.3 does with text that has no token: a BPE model that names no unknown token drops it,
// every other model fails, and so does AppendBody.
func TestTextWithoutAToken(t *testing.T) {
	for name, test := range map[string]struct {
		model string
		ids   []int32 // of "ab z"; nil is an error
		says  string
	}{
		"WordPiece":               {`{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":9,"vocab":{"ab":0}}`, nil, `"z", and unk_token "[UNK]" is not`},
		"WordPiece, a long word":  {`{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":1,"vocab":{"ab":0,"z":1}}`, nil, `"ab", and`},
		"WordLevel":               {`{"type":"WordLevel","unk_token":"<unk>","vocab":{"ab":0}}`, nil, `"z", and unk_token "<unk>" is not`},
		"BPE that names none":     {`{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}`, []int32{0, 1}, ""},
		"BPE whose is not there":  {`{"type":"BPE","unk_token":"<unk>","vocab":{"a":0,"b":1},"merges":[]}`, nil, `"z", and unk_token "<unk>" is not`},
		"BPE that falls back":     {`{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"vocab":{"a":0,"b":1,"<0x7A>":2},"merges":[]}`, []int32{0, 1, 2}, ""},
		"Unigram without unk_id":  {`{"type":"Unigram","unk_id":null,"vocab":[["a",-1],["b",-2]]}`, nil, `"z", and the model has no unk_id`},
		"Unigram that falls back": {`{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["a",-1],["b",-2],["<0x7A>",-3]]}`, []int32{0, 1, 2}, ""},
	} {
		tok, err := Parse([]byte(`{"pre_tokenizer":{"type":"Whitespace"},"model":` + test.model + `}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := tok.Encode("ab z", Options{})
		ids, spans, bodyErr := tok.AppendBody([]int32{9}, []Span{{1, 2}}, "ab z")
		if test.ids == nil {
			if !errors.Is(err, ErrUnknown) || !errors.Is(bodyErr, ErrUnknown) || !strings.Contains(err.Error(), test.says) || err.Error() != bodyErr.Error() {
				t.Errorf("%s: Encode's error is %v, AppendBody's %v", name, err, bodyErr)
			}
			if len(ids) != 1 || len(spans) != 1 {
				t.Errorf("%s: a failed AppendBody gave %v %v", name, ids, spans)
			}
			continue
		}
		if err != nil || bodyErr != nil || !slices.Equal(e.IDs, test.ids) || !slices.Equal(ids[1:], test.ids) || len(spans) != len(ids) {
			t.Errorf("%s: %v, %v and %v, %v", name, e, err, ids, bodyErr)
		}
	}
}
