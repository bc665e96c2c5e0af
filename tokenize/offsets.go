package tokenize

import (
	"unicode/utf8"

	"textmill/tokenize/internal/aligned"
)

// toChars turns spans in bytes of text into spans in characters. A position inside a character is that character.
func toChars(dst []Span, spans []aligned.Span, text string) {
	if isASCII(text) {
		n := int32(len(text))
		for i, s := range spans {
			dst[i] = Span(s)
			if s.End > n {
				dst[i] = beyond(s, s.Start, n, n)
			}
		}
		return
	}
	from, to := cursor{text: text}, cursor{text: text} // apart, as many tokens can share one long span
	n := int32(len(text))
	for i, s := range spans {
		if s.Start >= n {
			dst[i] = Span(s) // as Hugging Face leaves them
			continue
		}
		if s.Start >= to.byte {
			from = to
		}
		start := from.char(s.Start)
		if s.Start >= to.byte {
			to = from
		}
		if s.End < n {
			dst[i] = Span{start, to.char(s.End)}
			continue
		}
		dst[i] = beyond(s, start, n, to.char(n-1)+1)
	}
}

// beyond is the span in characters of a span that reaches or passes the end of a text of n bytes.
func beyond(s aligned.Span, start, n, chars int32) Span {
	switch {
	case s.Start >= n:
		return Span(s)
	case s.End == n:
		return Span{start, chars}
	}
	return Span{start, start + 2}
}

// cursor counts characters between positions that mostly ascend.
type cursor struct {
	text        string
	byte, count int32
}

// char is the number of the character that the byte at is part of.
func (c *cursor) char(at int32) int32 {
	for c.byte > at {
		if c.text[c.byte]&0xC0 != 0x80 {
			c.count--
		}
		c.byte--
	}
	n := c.count
	for i := c.byte + 1; i <= at; i++ {
		if c.text[i]&0xC0 != 0x80 {
			n++
		}
	}
	c.byte, c.count = at, n
	return n
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// trimBody leaves white space at the ends of tokens out of their spans, as the post-processors do in Encode.
func (t *Tokenizer) trimBody(spans []Span, sc *scratch) {
	texts := sc.out.texts
	for i := range spans {
		token := ""
		if len(texts) > 0 && texts[0].index == i {
			token, texts = texts[0].text, texts[1:]
		} else {
			token = t.modelToken(sc.out.ids[i])
		}
		lead, trail := margins(token)
		if lead == 0 && trail == 0 {
			continue
		}
		for _, p := range t.post {
			if p.TrimOffsets {
				trimSpan(&spans[i], lead, trail, p.AddPrefixSpace, i == 0)
			}
		}
	}
}
