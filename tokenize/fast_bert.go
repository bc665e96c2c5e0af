package tokenize

import (
	"sync/atomic"
	"unicode/utf8"
	"unsafe"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/model"
	"textmill/tokenize/internal/normal"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/ucd"
)

// bert is BertNormalizer, BertPreTokenizer and WordPiece in one pass over the text.
type bert struct {
	words *model.Words
	norm  spec.Normalizer
	ascii [utf8.RuneSelf]bertChar
	pages [0x1100]atomic.Pointer[[256]bertChar] // filled when first used; filling twice does no harm
}

// bertChar is what becomes of a character.
type bertChar struct {
	kind bertKind
	size uint8
	text [10]byte
}

type bertKind uint8

const (
	bertWord    bertKind = iota // part of a word
	bertDrop                    // nothing
	bertSpace                   // the end of a word
	bertAlone                   // a word of its own
	bertComplex                 // a case for the general way
)

func compileBERT(t *Tokenizer, f *spec.File) fastPath {
	if len(f.Normalizers) != 1 || f.Normalizers[0].Type != "BertNormalizer" || t.added.Normal() ||
		len(f.PreTokenizers) != 1 || f.PreTokenizers[0].Type != "BertPreTokenizer" || f.Model.Type != "WordPiece" {
		return nil
	}
	b := &bert{words: model.NewWords(t.model), norm: f.Normalizers[0]}
	for c := range b.ascii {
		b.ascii[c] = b.char(rune(c))
	}
	return b
}

func (b *bert) lookup(c rune) *bertChar {
	page := b.pages[c>>8].Load()
	if page == nil {
		page = new([256]bertChar)
		for i := range page {
			page[i] = b.char(c&^0xff | rune(i))
		}
		b.pages[c>>8].Store(page)
	}
	return &page[c&0xff]
}

// char works out what the steps make of a character that no neighbour has a say in.
func (b *bert) char(c rune) (out bertChar) {
	class := ucd.Of(c)
	if b.norm.CleanText && class&ucd.ControlOld != 0 {
		out.kind = bertDrop
		return out
	}
	cjk := b.norm.CJK && class&ucd.CJK != 0
	if b.norm.CleanText && class&ucd.CleanSpace != 0 {
		c = ' '
	}
	chars := []rune{c}
	if b.norm.StripAccents {
		chars = chars[:0]
		for _, d := range normal.AppendDecomposed(nil, c) {
			if !ucd.Is(d, ucd.MarkOld) {
				chars = append(chars, d)
			}
		}
	}
	if b.norm.Lowercase {
		var lower []rune
		for _, d := range normal.AppendLower(nil, string(chars)) {
			lower = append(lower, d.R)
		}
		chars = lower
	}
	out.kind = b.kind(chars, cjk)
	text := string(chars)
	if len(text) > len(out.text) {
		out.kind = bertComplex
	}
	out.size = uint8(copy(out.text[:], text))
	return out
}

func (b *bert) kind(chars []rune, cjk bool) bertKind {
	if len(chars) == 0 {
		if cjk {
			return bertComplex
		}
		return bertDrop
	}
	var all ucd.Class
	for _, c := range chars {
		all |= ucd.Of(c)
		if b.norm.StripAccents && normal.CCC(c) != 0 { // decomposition may reorder it
			return bertComplex
		}
	}
	switch breaks := all & (ucd.RustSpace | ucd.PunctOld); {
	case len(chars) > 1 && (breaks != 0 || cjk):
		return bertComplex
	case breaks == 0 && !cjk:
		return bertWord
	case breaks&ucd.RustSpace != 0:
		if cjk {
			return bertComplex
		}
		return bertSpace
	}
	return bertAlone
}

// run encodes the segment word by word. A complex character anywhere leaves all of it to the general way.
func (b *bert) run(_ *Tokenizer, sc *scratch, text string, start, end int) (bool, error) {
	mark := len(sc.out.ids)
	w := bertScan{b: b, sc: sc, from: -1, norm: sc.fastBuf.norm[:0], align: sc.fastBuf.align[:0]}
	for i := start; i < end; {
		c, size := rune(text[i]), 1
		entry := &b.ascii[c&0x7f]
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(text[i:end])
			entry = b.lookup(c)
		}
		switch entry.kind {
		case bertWord:
			w.add(entry, text, i, size)
		case bertDrop: // the next character finds that it does not follow on
		case bertComplex:
			sc.out.ids, sc.out.spans = sc.out.ids[:mark], sc.out.spans[:mark]
			return false, nil
		case bertSpace:
			w.flush()
		case bertAlone:
			w.flush()
			w.add(entry, text, i, size)
			w.flush()
		}
		i += size
	}
	w.flush()
	sc.fastBuf.norm, sc.fastBuf.align = w.norm, w.align
	return true, w.err
}

// bertScan is the word being collected.
type bertScan struct {
	b     *bert
	sc    *scratch
	norm  []byte
	align []aligned.Span // of the bytes of norm; empty as long as norm stands byte by byte for the text from from on
	from  int            // where the word starts; -1: no word
	next  int            // where the text goes on if no character is left out
	err   error
}

func (w *bertScan) add(c *bertChar, text string, at, size int) {
	if w.from < 0 {
		w.from, w.next = at, at
	}
	straight := len(w.align) == 0 && at == w.next && int(c.size) == size
	if !straight && len(w.align) == 0 {
		w.spell(text)
	}
	w.norm = append(w.norm, c.text[:c.size]...)
	if !straight {
		span := aligned.Span{Start: int32(at), End: int32(at + size)}
		for len(w.align) < len(w.norm) {
			w.align = append(w.align, span)
		}
	}
	w.next = at + size
}

// spell writes down where each byte of norm came from.
func (w *bertScan) spell(text string) {
	for i := 0; i < len(w.norm); {
		_, n := utf8.DecodeRuneInString(text[w.from+i:])
		span := aligned.Span{Start: int32(w.from + i), End: int32(w.from + i + n)}
		for range n {
			w.align = append(w.align, span)
		}
		i += n
	}
}

func (w *bertScan) flush() {
	if len(w.norm) == 0 {
		w.from = -1
		return
	}
	tokens, err := w.b.words.Word(unsafe.String(unsafe.SliceData(w.norm), len(w.norm)), &w.sc.Scratch)
	if err != nil && w.err == nil {
		w.err = err
	}
	out := &w.sc.out
	for _, tok := range tokens {
		out.ids = append(out.ids, tok.ID)
		if len(w.align) == 0 {
			out.spans = append(out.spans, aligned.Span{Start: int32(w.from) + tok.Start, End: int32(w.from) + tok.End})
		} else {
			out.spans = append(out.spans, aligned.Span{Start: w.align[tok.Start].Start, End: w.align[tok.End-1].End})
		}
	}
	w.norm, w.align, w.from = w.norm[:0], w.align[:0], -1
}
