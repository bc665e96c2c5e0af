package vocabulary

import (
	"fmt"
	"strings"
)

// wordPiece is tokenizer.ggml.model of BERT's tokenizer.
const wordPiece = "bert"

// wordPiece is the tokenizer of BERT. The file marks the tokens that begin a word; in BERT's own words it is the
// others that are marked.
func (b *builder) wordPiece() (object, error) {
	if _, err := b.vocab(); err != nil {
		return nil, err
	}
	vocab := make(map[string]int, len(b.tokens))
	for i, t := range b.tokens {
		if b.kinds[i] == kindUnused {
			continue
		}
		if !b.special(i) && b.kinds[i] != kindUser && !(strings.HasPrefix(t, "[") && strings.HasSuffix(t, "]")) {
			word, begins := strings.CutPrefix(t, space)
			if !begins {
				word = "##" + t
			}
			t = word
		}
		if other, twice := vocab[t]; twice {
			return nil, fmt.Errorf("%w: tokens %d and %d are both %q", ErrUnsupported, other, i, t)
		}
		vocab[t] = i
	}
	_, unknown, ok := b.token("unknown_token_id")
	if !ok {
		return nil, fmt.Errorf("%w: there is no tokenizer.ggml.unknown_token_id", ErrUnsupported)
	}
	normalizer := object{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
		"lowercase": b.adds("normalizer.lowercase", true), "strip_accents": nil} // nil: where letters become small
	if strip, told := b.f.Bool("tokenizer.ggml.normalizer.strip_accents"); told {
		normalizer["strip_accents"] = strip
	}
	return b.engine(normalizer, object{"type": "BertPreTokenizer"}, object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		object{"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
			"vocab": vocab})
}
