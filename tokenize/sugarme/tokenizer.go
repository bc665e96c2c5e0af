package sugarme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"textmill/tokenize"
)

// Differences are those that are known of the library, whatever the tokenizer.
const Differences = "on plain English its tokens are mostly Hugging Face's, on code, other scripts, emoji and runs of spaces often not; " +
	"texts that end its process or take it longer than 10 s become error rows; it works on one text at a time; " +
	"model_sha256 does not tell its rows from others"

// A Tokenizer has the library make the tokens of a text; special tokens are added as Hugging Face does.
type Tokenizer struct {
	*tokenize.Tokenizer
	library *Engine
}

// OpenTokenizer starts the library with the tokenizer.json that ours was loaded from.
func OpenTokenizer(ctx context.Context, ours *tokenize.Tokenizer, path string, o Options) (*Tokenizer, error) {
	library, err := Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return &Tokenizer{ours, library}, nil
}

// Close ends the library's process.
func (t *Tokenizer) Close() error { return t.library.Close() }

// AppendBody appends the text's tokens without specials, and the characters that each is made of. A text that the
// process ends with is asked for once more, since the process may have been ended from outside.
func (t *Tokenizer) AppendBody(ids []int32, spans []tokenize.Span, text string) ([]int32, []tokenize.Span, error) {
	ctx := context.Background() // the engine's own time-outs end it
	e, err := t.library.Encode(ctx, text, false)
	if errors.Is(err, ErrCrashed) && !errors.Is(err, ErrUnavailable) {
		e, err = t.library.Encode(ctx, text, false)
	}
	if err != nil {
		return ids, spans, fmt.Errorf("engine sugarme: %w", err)
	}
	for _, id := range e.IDs {
		if _, known := t.IDToToken(id); !known {
			return ids, spans, fmt.Errorf("engine sugarme: %w: it made the token ID %d, which the tokenizer does not have",
				ErrRefused, id)
		}
	}
	return append(ids, e.IDs...), append(spans, e.Spans(text)...), nil
}

// Spans are the encoding's offsets in characters of the text, one for each token.
func (e *Encoding) Spans(text string) []tokenize.Span {
	spans := make([]tokenize.Span, len(e.IDs))
	char, at := int32(0), 0
	count := func(to int32) int32 {
		end := min(max(int(to), 0), len(text))
		if end < at {
			char, at = 0, 0
		}
		char += int32(utf8.RuneCountInString(text[at:end]))
		at = end
		return char
	}
	for i := range min(len(spans), len(e.Offsets)) {
		spans[i].Start = count(e.Offsets[i][0])
		spans[i].End = count(e.Offsets[i][1])
	}
	return spans
}

// samples are of the kinds on which the library is known to differ, beside plain ones.
var samples = []string{
	"The quick brown fox jumps over the lazy dog.", "Don't panic, it's only 3.14 % of $1,000!",
	"for (int i = 0; i < n; i++) {\n\t\tx[i] += 1;\n}",
	"Zürich, naïve café, Ångström, İstanbul", "数字と漢字を読む。", "Привет, мир", "مرحبا بالعالم", "👩‍🚀 and 🇨🇭 flags",
	"  two  spaces \n\n and lines  ",
	"https://example.org/path?q=1&r=2#top", "snake_case CamelCase kebab-case", "ｆｕｌｌ ｗｉｄｔｈ ﬁ ² ½",
}

// Sample compares the library with ours on a few texts, and tells of how many it makes other tokens or none.
func (t *Tokenizer) Sample() (differ, of int, err error) {
	for _, text := range samples {
		ours, _, err := t.Tokenizer.AppendBody(nil, nil, text)
		if err != nil {
			return 0, 0, err
		}
		theirs, _, err := t.AppendBody(nil, nil, text)
		if errors.Is(err, ErrUnavailable) {
			return 0, 0, err
		}
		if err != nil || !slices.Equal(ours, theirs) {
			differ++
		}
	}
	return differ, len(samples), nil
}
