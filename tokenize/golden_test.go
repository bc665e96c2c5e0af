package tokenize

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"textmill/internal/golden"
)

// goldenLine is a line of golden-kinds.jsonl.gz, which tokenize/conformance/golden.py makes of Hugging Face's answers.
type goldenLine struct {
	Charsmap string `json:"charsmap"` // what "@charsmap" stands for from here on

	Name string `json:"name"` // a tokenizer for the lines after it
	JSON string `json:"json"`

	Text       string      `json:"text"` // a case
	Base64     bool        `json:"base64"`
	NoSpecial  bool        `json:"nospecial"`
	Pair       *string     `json:"pair"`
	Truncation *Truncation `json:"truncation"`
	Padding    *Padding    `json:"padding"`
	Decode     bool        `json:"decode"` // only decode the IDs
	Decoded    *string     `json:"decoded"`
	Skipped    *string     `json:"skipped"`
	Error      bool        `json:"error"`
	encoded
}

type encoded struct {
	IDs         []int32    `json:"ids"`
	TypeIDs     []int32    `json:"type_ids"`
	Tokens      []string   `json:"tokens"`
	Offsets     [][2]int32 `json:"offsets"`
	Special     []int32    `json:"special"`
	Attention   []int32    `json:"attention"`
	Overflowing []encoded  `json:"overflowing"`
}

// encodedOf writes an encoding as the file does, without what is zero, or one in Attention.
func encodedOf(e *Encoding) encoded {
	g := encoded{IDs: unlessAll(e.IDs, 0), TypeIDs: unlessAll(e.TypeIDs, 0), Special: unlessAll(e.SpecialTokensMask, 0),
		Attention: unlessAll(e.AttentionMask, 1), Tokens: unlessAll(e.Tokens, "")}
	if unlessAll(e.Offsets, Span{}) != nil {
		for _, s := range e.Offsets {
			g.Offsets = append(g.Offsets, [2]int32{s.Start, s.End})
		}
	}
	for _, o := range e.Overflowing {
		g.Overflowing = append(g.Overflowing, encodedOf(o))
	}
	return g
}

func unlessAll[T comparable](list []T, usual T) []T {
	for _, v := range list {
		if v != usual {
			return list
		}
	}
	return nil
}

// whole fills in what the file leaves out, so that both sides read alike.
func (g encoded) whole() encoded {
	g.IDs, g.TypeIDs, g.Special = unlessAll(g.IDs, 0), unlessAll(g.TypeIDs, 0), unlessAll(g.Special, 0)
	g.Attention, g.Tokens, g.Offsets = unlessAll(g.Attention, 1), unlessAll(g.Tokens, ""), unlessAll(g.Offsets, [2]int32{})
	for i := range g.Overflowing {
		g.Overflowing[i] = g.Overflowing[i].whole()
	}
	return g
}

// TestEveryKindAsHuggingFace holds tokenizers of every kind of normalizer, pre-tokenizer, model, post-processor and decoder to
// what Hugging Face made of the same texts: cut, padded, paired, broken and decoded.
func TestEveryKindAsHuggingFace(t *testing.T) {
	var used, general *Tokenizer
	var name, charsmap string
	cases := 0
	for _, line := range golden.Values[goldenLine](t, "testdata/golden-kinds.jsonl.gz") {
		switch {
		case line.Charsmap != "":
			charsmap = line.Charsmap
		case line.JSON != "":
			name = line.Name
			used, general = both(t, []byte(strings.ReplaceAll(line.JSON, "@charsmap", charsmap)))
		default:
			cases++
			line.check(t, name, used)
			line.check(t, name+", the general way", general)
		}
	}
	if cases < 4000 {
		t.Errorf("%d cases", cases)
	}
}

func (l *goldenLine) check(t *testing.T, name string, tok *Tokenizer) {
	t.Helper()
	if l.Decode {
		l.checkDecoded(t, name, tok, l.IDs)
		return
	}
	text := l.Text
	if l.Base64 {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	o := Options{NoSpecialTokens: l.NoSpecial, Pair: l.Pair, Truncation: l.Truncation, Padding: l.Padding}
	e, err := tok.Encode(text, o)
	if (err != nil) != l.Error {
		t.Errorf("%s: %q with %+v: error %v, Hugging Face's %v", name, text, o, err, l.Error)
	}
	if err != nil {
		return
	}
	if got, want := encodedOf(e), l.whole(); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q with %+v gave\n%+v\nwant\n%+v", name, text, o, got, want)
	}
	l.checkDecoded(t, name, tok, e.IDs)
}

func (l *goldenLine) checkDecoded(t *testing.T, name string, tok *Tokenizer, ids []int32) {
	t.Helper()
	if l.Decoded == nil {
		return
	}
	if got := tok.Decode(ids, false); got != *l.Decoded {
		t.Errorf("%s: %v decodes to %q, want %q", name, ids, got, *l.Decoded)
	}
	if got := tok.Decode(ids, true); got != *l.Skipped {
		t.Errorf("%s: %v without special tokens decodes to %q, want %q", name, ids, got, *l.Skipped)
	}
}
