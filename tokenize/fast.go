package tokenize

import (
	"unsafe"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/spec"
)

// fastPath is a shorter way through a tokenizer that gives exactly what the general way gives.
type fastPath interface {
	// run encodes text[start:end] like general, or does nothing and reports false when it cannot.
	run(t *Tokenizer, sc *scratch, text string, start, end int) (done bool, err error)
}

// fastBuffers is the scratch memory of the fast paths.
type fastBuffers struct {
	norm  []byte
	align []aligned.Span
}

// compile picks the shorter way for a tokenizer, if there is one.
func compile(t *Tokenizer, f *spec.File) fastPath {
	for _, way := range []func(*Tokenizer, *spec.File) fastPath{compileBytes, compileBERT, compileSpaced,
		compileUnigram} {
		if p := way(t, f); p != nil {
			return p
		}
	}
	return nil
}

// view is text on its way: s is what became of the original from base on. align is nil when nothing changed.
type view struct {
	s     string
	base  int32
	align []aligned.Span
}

func viewOf(t *aligned.Text) view {
	return view{s: unsafe.String(unsafe.SliceData(t.Norm), len(t.Norm)), align: t.Align}
}

// part is v.s[from:to].
func (v view) part(from, to int) view {
	p := view{s: v.s[from:to], base: v.base + int32(from)}
	if v.align != nil {
		p.base, p.align = 0, v.align[from:to]
	}
	return p
}

// span is where s[from:to] came from; a range that cuts characters counts as whole characters.
func (v *view) span(from, to int32) aligned.Span {
	if v.align != nil {
		return aligned.Span{Start: v.align[from].Start, End: v.align[to-1].End}
	}
	for v.s[from]&0xC0 == 0x80 {
		from--
	}
	for int(to) < len(v.s) && v.s[to]&0xC0 == 0x80 {
		to++
	}
	return aligned.Span{Start: v.base + from, End: v.base + to}
}

// eachPart takes the added tokens out that are looked for in normalized text, and gives the rest to words.
func (t *Tokenizer) eachPart(sc *scratch, v view, words func(view) error) error {
	if !t.added.Normal() {
		return words(v)
	}
	sc.inner = t.added.SplitNormal(sc.inner[:0], v.s)
	for _, p := range sc.inner {
		if p.Start >= p.End {
			continue
		}
		if p.ID < 0 {
			if err := words(v.part(p.Start, p.End)); err != nil {
				return err
			}
			continue
		}
		span := v.span(int32(p.Start), int32(p.End))
		t.addedToken(&sc.out, p.ID, v.s[p.Start:p.End], span.Start, span.End)
	}
	return nil
}
