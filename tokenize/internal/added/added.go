// Package added finds the tokens that are taken out of a text before the model sees it.
package added

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/trie"
	"textmill/tokenize/internal/ucd"
	"textmill/tokenize/internal/vocab"
)

// Vocabulary holds the added tokens of a tokenizer. It is safe for concurrent use once made.
type Vocabulary struct {
	byText  map[string]int32
	byID    map[int32]spec.AddedToken
	form    map[int32]string // what the normalizer makes of a token, where that differs
	special map[string]bool
	raw     *finder // tokens looked for in the text as given
	normal  *finder // tokens looked for in the normalized text
	extra   int     // tokens that the model's vocabulary does not have
}

// New numbers the tokens as Hugging Face does: a token that the model knows has the model's ID, any other the next
// free one, whatever the file says. normalize is applied to tokens that are looked for in normalized text.
func New(tokens []spec.AddedToken, model *vocab.Vocab, size int, normalize func(string) string) (*Vocabulary, error) {
	v := &Vocabulary{
		byText: map[string]int32{}, byID: map[int32]spec.AddedToken{},
		form: map[int32]string{}, special: map[string]bool{},
	}
	next := int32(size)
	for _, t := range tokens {
		t.ID = 0
		id, ok := v.byText[t.Content]
		if t.Content == "" || ok && v.byID[id] == t {
			continue
		}
		if !ok {
			if id, ok = model.IDOf(t.Content); !ok {
				id = next
				next++
				v.extra++
			}
		}
		if t.Normalized {
			if form := normalize(t.Content); form != t.Content {
				v.form[id] = form
			}
		}
		v.byText[t.Content], v.byID[id] = id, t
		if t.Special {
			v.special[t.Content] = true
		}
	}
	return v, v.index()
}

func (v *Vocabulary) index() error {
	var raw, normal []trie.Key
	seen := map[string]bool{}
	for id, t := range v.byID {
		text := t.Content
		if form, ok := v.form[id]; ok && t.Normalized {
			text = form
		}
		if text == "" {
			return fmt.Errorf("token %q is empty once normalized", t.Content)
		}
		list, mark := &raw, "r"
		if t.Normalized {
			list, mark = &normal, "n"
		}
		if seen[mark+text] {
			return fmt.Errorf("token %q is there twice once normalized", t.Content)
		}
		seen[mark+text] = true
		*list = append(*list, trie.Key{Key: []byte(text), Value: id})
	}
	v.raw, v.normal = newFinder(raw), newFinder(normal)
	return nil
}

// Len is the number of added tokens that are not in the model's vocabulary.
func (v *Vocabulary) Len() int { return v.extra }

// ID returns the ID of an added token.
func (v *Vocabulary) ID(token string) (int32, bool) {
	id, ok := v.byText[token]
	return id, ok
}

// Token returns the text of an added token as decoding sees it.
func (v *Vocabulary) Token(id int32) (string, bool) {
	if form, ok := v.form[id]; ok {
		return form, true
	}
	t, ok := v.byID[id]
	return t.Content, ok
}

// IDs calls yield with the ID of each added token, in no order.
func (v *Vocabulary) IDs(yield func(id int32) bool) {
	for id := range v.byID {
		if !yield(id) {
			return
		}
	}
}

// Special reports whether a token of this text is special.
func (v *Vocabulary) Special(text string) bool { return v.special[text] }

// Part is a range of a text: an added token, or (ID < 0) what lies between.
type Part struct {
	Start, End int
	ID         int32
}

// Raw reports whether any token is looked for in the text as given.
func (v *Vocabulary) Raw() bool { return v.raw != nil }

// Normal reports whether any token is looked for in normalized text.
func (v *Vocabulary) Normal() bool { return v.normal != nil }

// SplitRaw adds the parts of a text as given to dst.
func (v *Vocabulary) SplitRaw(dst []Part, text string) []Part { return v.split(dst, text, v.raw) }

// SplitNormal adds the parts of a normalized text to dst.
func (v *Vocabulary) SplitNormal(dst []Part, text string) []Part { return v.split(dst, text, v.normal) }

func (v *Vocabulary) split(dst []Part, text string, f *finder) []Part {
	if f == nil || text == "" {
		return append(dst, Part{0, len(text), -1})
	}
	last := 0
	blankTo := 0 // up to here the text is known to be white space from the end of some match on
	for at := 0; ; {
		start, end, id := f.next(text, at)
		if id < 0 {
			break
		}
		at = end
		t := v.byID[id]
		if t.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
			continue
		}
		if t.LStrip {
			start = last + spaceBefore(text[last:max(start, last)])
		}
		if t.RStrip {
			if end >= blankTo {
				blankTo = end + spaceAfter(text[end:])
			}
			end = blankTo
		}
		if last < start {
			dst = append(dst, Part{last, start, -1})
		}
		dst = append(dst, Part{min(start, end), end, id})
		last = end
	}
	if last != len(text) {
		dst = append(dst, Part{last, len(text), -1})
	}
	return dst
}

func wordBefore(s string) bool {
	c, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && ucd.Is(c, ucd.RustWord)
}

func wordAfter(s string) bool {
	c, n := utf8.DecodeRuneInString(s)
	return n > 0 && ucd.Is(c, ucd.RustWord)
}

func space(c rune) bool { return ucd.Is(c, ucd.RustSpace) }

func spaceBefore(s string) int { return len(strings.TrimRightFunc(s, space)) }

func spaceAfter(s string) int { return len(s) - len(strings.TrimLeftFunc(s, space)) }
