package tokenize

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Stream decodes tokens as they come, and gives text only when no later token can change it into other characters:
// what it has given, joined, is what Decode gives for all the IDs, but for what Flush still holds.
// A Stream is for one goroutine.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	ids         []int32
	prefix      string // what ids[:given] decode to
	given       int
}

// NewStream starts a stream.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial}
}

// maxHeld bounds how many tokens wait for the end of a character. Four bytes make the longest one.
const maxHeld = 64

// Add takes the next token and returns the text that became certain with it, "" when none did.
func (s *Stream) Add(id int32) string {
	if token, ok := s.t.IDToToken(id); !ok || s.skipSpecial && s.t.added.Special(token) {
		return "" // Decode leaves it out whatever is around it
	}
	if s.prefix == "" && len(s.ids) > 0 {
		s.hold(s.t.Decode(s.ids, s.skipSpecial))
	}
	s.ids = append(s.ids, id)
	text := s.t.Decode(s.ids, s.skipSpecial)
	if len(text) <= len(s.prefix) || broken(text) && len(s.ids)-s.given < maxHeld {
		return ""
	}
	return s.give(text)
}

// hold takes a text that ends whole as already given.
func (s *Stream) hold(text string) {
	if !broken(text) {
		s.prefix, s.given = text, len(s.ids)
	}
}

// give returns what text adds, and forgets the tokens that later ones no longer need beside them.
func (s *Stream) give(text string) string {
	fresh, ok := strings.CutPrefix(text, s.prefix)
	if !ok {
		fresh = text[common(text, s.prefix):]
	}
	kept := len(s.ids) - s.given
	s.ids = slices.Delete(s.ids, 0, s.given)
	s.prefix = s.t.Decode(s.ids, s.skipSpecial)
	s.given = kept
	return fresh
}

// Flush returns the text that was held back, at the end of the tokens.
func (s *Stream) Flush() string {
	text := s.t.Decode(s.ids, s.skipSpecial)
	if len(text) <= len(s.prefix) {
		return ""
	}
	return s.give(text)
}

// broken reports whether a text ends in a character that may be the start of another.
func broken(text string) bool { return strings.HasSuffix(text, string(utf8.RuneError)) }

// common is the length of the longest common start of a and b that ends between characters.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && a[n]&0xC0 == 0x80 {
		n--
	}
	return n
}
