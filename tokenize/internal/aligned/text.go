// Package aligned is text that knows, for each of its bytes, which characters of the original it came from.
//
// It keeps Hugging Face's rules for alignment to the letter, odd corners included: offsets follow from them.
package aligned

import (
	"unicode/utf8"

	"textmill/tokenize/internal/normal"
)

// Span is a half-open range of bytes of the original text.
type Span struct{ Start, End int32 }

// Text is a piece of an original text after changes. Slices of a Text share its arrays, which are never written
// again once made.
type Text struct {
	Norm  []byte // the text now, valid UTF-8
	Align []Span // for each byte of Norm
	Shift int32  // where the piece starts in the original
	Len   int32  // bytes of the original that the piece covers
}

// New is s unchanged; s must be valid UTF-8.
func New(s string) Text {
	t := Text{Norm: []byte(s), Align: make([]Span, len(s)), Len: int32(len(s))}
	for i := 0; i < len(s); {
		n := 1
		if s[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(s[i:])
		}
		span := Span{int32(i), int32(i + n)}
		for end := i + n; i < end; i++ {
			t.Align[i] = span
		}
	}
	return t
}

// Transform replaces the whole text by changes, of which initial leading characters have no part.
func (t *Text) Transform(changes []normal.Change, initial int) {
	if t.Len == 0 { // an empty original maps to the empty range at the start
		t.transform(0, 0, changes, initial)
		return
	}
	if len(t.Norm) == 0 {
		return
	}
	from := 0
	for from < len(t.Align) && t.Align[from].Start == t.Align[from].End {
		from++
	}
	t.transform(from, len(t.Norm), changes, initial)
}

// transform replaces Norm[from:to].
func (t *Text) transform(from, to int, changes []normal.Change, initial int) {
	norm := make([]byte, 0, len(t.Norm)+len(changes))
	align := make([]Span, 0, cap(norm))
	norm, align = append(norm, t.Norm[:from]...), append(align, t.Align[:from]...)
	offset := from
	for ; initial > 0 && offset < to; initial-- {
		offset += t.charAt(offset, to)
	}
	for _, c := range changes {
		span := t.alignAt(offset, c.D)
		if c.D <= 0 {
			for n := int(-c.D) + 1; n > 0 && offset < to; n-- {
				offset += t.charAt(offset, to)
			}
		}
		norm = utf8.AppendRune(norm, c.R)
		for len(align) < len(norm) {
			align = append(align, span)
		}
	}
	t.Norm, t.Align = append(norm, t.Norm[to:]...), append(align, t.Align[to:]...)
}

// alignAt is the alignment of a character that is put at offset: inserted ones share that of the byte before.
func (t *Text) alignAt(offset int, d int32) Span {
	if d > 0 {
		offset--
	}
	switch {
	case offset < 0 || len(t.Align) == 0:
		return Span{t.Shift, t.Shift}
	case offset >= len(t.Align):
		offset = len(t.Align) - 1
	}
	return t.Align[offset]
}

func (t *Text) charAt(at, to int) int {
	_, n := utf8.DecodeRune(t.Norm[at:to])
	return n
}

// Filter drops the characters that keep refuses.
func (t *Text) Filter(keep func(rune) bool) {
	changes := make([]normal.Change, 0, len(t.Norm))
	initial, kept := 0, false
	for _, c := range string(t.Norm) {
		switch {
		case keep(c):
			changes, kept = append(changes, normal.Change{R: c}), true
		case kept:
			changes[len(changes)-1].D--
		default:
			initial++
		}
	}
	t.Transform(changes, initial)
}

// Map changes each character into another.
func (t *Text) Map(to func(rune) rune) {
	changes := make([]normal.Change, 0, len(t.Norm))
	for _, c := range string(t.Norm) {
		changes = append(changes, normal.Change{R: to(c)})
	}
	t.Transform(changes, 0)
}

// Bytes makes each byte a character of its own, by the table of byte-level tokenizers.
func (t *Text) Bytes(table *[256]rune) {
	changes := make([]normal.Change, 0, len(t.Norm))
	for _, b := range t.Norm {
		d := int32(0)
		if b&0xC0 == 0x80 {
			d = 1
		}
		changes = append(changes, normal.Change{R: table[b], D: d})
	}
	t.Transform(changes, 0)
}

// Prepend puts s before the first character; an empty text stays empty.
func (t *Text) Prepend(s string) {
	if len(t.Norm) == 0 {
		return
	}
	first, n := utf8.DecodeRune(t.Norm)
	var changes []normal.Change
	for i, c := range s {
		d := int32(1)
		if i == 0 {
			d = 0
		}
		changes = append(changes, normal.Change{R: c, D: d})
	}
	t.transform(0, n, append(changes, normal.Change{R: first, D: 1}), 0)
}

// Replace puts content in the place of each match.
func (t *Text) Replace(matches []Match, content string) {
	norm := make([]byte, 0, len(t.Norm))
	align := make([]Span, 0, len(t.Norm))
	last := 0
	for _, m := range matches {
		if !m.Is {
			continue
		}
		norm, align = append(norm, t.Norm[last:m.Start]...), append(align, t.Align[last:m.Start]...)
		span := t.alignAt(m.End, 1)
		norm = append(norm, content...)
		for len(align) < len(norm) {
			align = append(align, span)
		}
		last = m.End
	}
	t.Norm, t.Align = append(norm, t.Norm[last:]...), append(align, t.Align[last:]...)
}

// Strip drops white space from the ends.
func (t *Text) Strip(left, right bool, space func(rune) bool) {
	var lead, trail, count int
	leading := true
	for _, c := range string(t.Norm) {
		count++
		switch {
		case !space(c):
			leading, trail = false, 0
		case leading:
			lead++
			trail++
		default:
			trail++
		}
	}
	if !left {
		lead = 0
	}
	if !right {
		trail = 0
	}
	if lead == 0 && trail == 0 {
		return
	}
	var changes []normal.Change
	i := 0
	for _, c := range string(t.Norm) {
		if i >= lead && i < count-trail {
			changes = append(changes, normal.Change{R: c})
		}
		i++
	}
	t.Transform(changes, lead)
}

// Slice is the part Norm[from:to], which must not be empty.
func (t *Text) Slice(from, to int) Text {
	s := Text{Norm: t.Norm[from:to:to], Align: t.Align[from:to:to]}
	s.Shift = t.Align[from].Start
	s.Len = max(0, t.Align[to-1].End-s.Shift)
	return s
}

// Original is the span of the original that Norm[from:to] came from, as Hugging Face gives it for a token.
func (t *Text) Original(from, to int) Span {
	switch {
	case from == to:
		return Span{t.Shift + int32(from), t.Shift + int32(to)}
	case from > to || to > len(t.Align):
		return Span{int32(from), int32(to)}
	}
	return Span{t.Align[from].Start, t.Align[to-1].End}
}

// Part is text[start:end], which starts and ends between characters, as a piece of text.
func Part(text string, start, end int) Text {
	t := New(text[start:end])
	if start > 0 {
		for i := range t.Align {
			t.Align[i].Start += int32(start)
			t.Align[i].End += int32(start)
		}
		t.Shift = int32(start)
	}
	return t
}
