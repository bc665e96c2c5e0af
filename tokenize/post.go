package tokenize

import (
	"fmt"
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/ucd"
)

// template is what surrounds a single sequence, for AppendInput.
type template struct {
	ids, typeIDs []int32
	at           []int   // where the sequence goes: most often once, but a template may leave it out or repeat it
	atTypes      []int32 // its type ID there
}

// planPost checks the post-processors and works out the single sequence's surroundings.
func (t *Tokenizer) planPost() error {
	parts := false
	for _, p := range t.post {
		if p.Type == "TemplateProcessing" {
			if parts {
				return fmt.Errorf("a template after a template is not supported")
			}
			parts = true
		}
		t.trims = t.trims || p.TrimOffsets
	}
	const mark = -1
	probe := &Encoding{IDs: []int32{mark}, TypeIDs: []int32{0}, Tokens: []string{""}, Offsets: make([]Span, 1),
		ByteOffsets: make([]Span, 1), SpecialTokensMask: []int32{0}, AttentionMask: []int32{1}}
	e := t.assemble([]*Encoding{probe}, true)
	for i, id := range e.IDs {
		if id == mark {
			t.single.at, t.single.atTypes = append(t.single.at, len(t.single.ids)), append(t.single.atTypes, e.TypeIDs[i])
			continue
		}
		t.single.ids = append(t.single.ids, id)
		t.single.typeIDs = append(t.single.typeIDs, e.TypeIDs[i])
	}
	return nil
}

// specials is the number of special tokens that are put around one or two sequences.
func (t *Tokenizer) specials(pair bool) int {
	n := 0
	for _, p := range t.post {
		switch {
		case p.Type == "BertProcessing" && pair:
			n += 3
		case p.Type == "RobertaProcessing" && pair:
			n += 4
		case p.Type == "BertProcessing" || p.Type == "RobertaProcessing":
			n += 2
		case p.Type == "TemplateProcessing":
			pieces := p.Single
			if pair {
				pieces = p.Pair
			}
			for _, piece := range pieces {
				n += len(piece.Tokens)
			}
		}
	}
	return n
}

// assemble runs the post-processors over one or two sequences.
func (t *Tokenizer) assemble(parts []*Encoding, add bool) *Encoding {
	if !t.hasPost {
		return join(parts)
	}
	for i, e := range parts {
		e.setType(int32(i))
	}
	for i := range t.post {
		p := &t.post[i]
		switch p.Type {
		case "TemplateProcessing":
			parts = applyTemplate(p, parts, add)
		case "BertProcessing":
			if add {
				surround(p, parts, func(_ *Encoding, i int) int32 { return int32(min(i, 1)) }, false)
			}
		case "RobertaProcessing":
			roberta(p, parts, add)
		case "ByteLevel":
			if p.TrimOffsets {
				trimAll(parts, p.AddPrefixSpace)
			}
		}
	}
	return join(parts)
}

func join(parts []*Encoding) *Encoding {
	if len(parts) == 1 {
		return parts[0]
	}
	e := &Encoding{}
	for _, part := range parts {
		e.append(part)
	}
	return e
}

func (e *Encoding) setType(id int32) {
	for i := range e.TypeIDs {
		e.TypeIDs[i] = id
	}
}

func applyTemplate(p *spec.PostProcessor, parts []*Encoding, add bool) []*Encoding {
	pieces := p.Single
	if len(parts) > 1 {
		pieces = p.Pair
	}
	var out []*Encoding
	for _, piece := range pieces {
		switch {
		case piece.Sequence >= 0:
			parts[piece.Sequence].setType(piece.TypeID)
			out = append(out, parts[piece.Sequence].copied())
		case add:
			out = append(out, specialTokens(piece.TypeID, piece.Tokens...))
		}
	}
	return out
}

func specialTokens(typeID int32, list ...spec.Special) *Encoding {
	e := &Encoding{}
	for _, s := range list {
		e.IDs = append(e.IDs, s.ID)
		e.Tokens = append(e.Tokens, s.Token)
		e.TypeIDs = append(e.TypeIDs, typeID)
		e.Offsets = append(e.Offsets, Span{})
		e.ByteOffsets = append(e.ByteOffsets, Span{})
		e.SpecialTokensMask = append(e.SpecialTokensMask, 1)
		e.AttentionMask = append(e.AttentionMask, 1)
	}
	return e
}

// surround is [CLS] A [SEP] and B [SEP], or with double [SEP] B [SEP].
func surround(p *spec.PostProcessor, parts []*Encoding, typeID func(*Encoding, int) int32, double bool) {
	wrap := func(e *Encoding, i int) *Encoding {
		out := &Encoding{}
		switch {
		case i == 0:
			out.append(specialTokens(typeID(e, i), p.Cls))
		case double:
			out.append(specialTokens(typeID(e, i), p.Sep))
		}
		body := e.copied()
		body.Overflowing = nil
		clear(body.SpecialTokensMask)
		out.append(body)
		out.append(specialTokens(typeID(e, i), p.Sep))
		return out
	}
	for i, e := range parts {
		parts[i] = wrap(e, i)
		for _, o := range e.Overflowing {
			if double {
				o = o.copied()
				o.setType(0)
			}
			parts[i].Overflowing = append(parts[i].Overflowing, wrap(o, i))
		}
	}
}

// roberta gives every token type 0.
func roberta(p *spec.PostProcessor, parts []*Encoding, add bool) {
	if p.TrimOffsets {
		trimAll(parts, p.AddPrefixSpace)
	}
	for _, e := range parts {
		e.setType(0)
	}
	if add {
		surround(p, parts, func(*Encoding, int) int32 { return 0 }, true)
	}
}

func trimAll(parts []*Encoding, prefixSpace bool) {
	for _, e := range parts {
		e.trim(prefixSpace)
		for _, o := range e.Overflowing {
			o.trim(prefixSpace)
		}
	}
}

// trim leaves the white space at the ends of tokens out of their offsets.
func (e *Encoding) trim(prefixSpace bool) {
	for i, token := range e.Tokens {
		lead, trail := margins(token)
		if lead > 0 || trail > 0 {
			trimSpan(&e.Offsets[i], lead, trail, prefixSpace, i == 0)
			trimSpan(&e.ByteOffsets[i], lead, trail, prefixSpace, i == 0)
		}
	}
}

// trimSpan does not take away a single leading space at the start of the text when the tokenizer itself put it there.
func trimSpan(s *Span, lead, trail int32, prefixSpace, first bool) {
	if lead > 0 {
		if (first || s.Start == 0) && prefixSpace && lead == 1 {
			lead = 0
		}
		s.Start = min(s.Start+lead, s.End)
	}
	if trail > 0 && s.End >= trail {
		s.End = max(s.End-trail, s.Start)
	}
}

// margins counts the white space at the ends of a token.
func margins(token string) (lead, trail int32) {
	for rest := token; rest != ""; lead++ {
		c, n := utf8.DecodeRuneInString(rest)
		if !blank(c) {
			break
		}
		rest = rest[n:]
	}
	for rest := token; rest != ""; trail++ {
		c, n := utf8.DecodeLastRuneInString(rest)
		if !blank(c) {
			break
		}
		rest = rest[:len(rest)-n]
	}
	return lead, trail
}

func blank(c rune) bool { return c == 'Ġ' || ucd.Is(c, ucd.RustSpace) }
