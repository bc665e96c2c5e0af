package tokenize

import (
	"fmt"
	"math"
	"unsafe"

	"textmill/tokenize/internal/added"
	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/model"
)

// scratch is what one call needs; calls share them through a pool.
type scratch struct {
	model.Scratch
	out     output
	parts   []added.Part
	inner   []added.Part
	tokens  []model.Token
	fastBuf fastBuffers
}

// output collects the tokens of one text.
type output struct {
	ids   []int32
	spans []aligned.Span // in bytes of the text
	// Kept only for Encode:
	keep  bool
	texts []textAt // tokens whose text is not that of their ID
}

type textAt struct {
	index int
	text  string
}

func (o *output) reset(keep bool) {
	o.ids, o.spans, o.texts, o.keep = o.ids[:0], o.spans[:0], o.texts[:0], keep
}

func (o *output) token(id int32, start, end int32) {
	o.ids = append(o.ids, id)
	o.spans = append(o.spans, aligned.Span{Start: start, End: end})
}

// maxText is the longest text in bytes, as offsets are 32 bits.
const maxText = math.MaxInt32

// Encode turns a text into its tokens. Invalid UTF-8 counts as U+FFFD, one for each maximal invalid part, and offsets
// are of the text so mended. The error is of class ErrOptions or ErrUnknown.
func (t *Tokenizer) Encode(text string, o Options) (*Encoding, error) {
	texts := []string{text}
	if o.Pair != nil {
		texts = append(texts, *o.Pair)
	}
	parts := make([]*Encoding, 0, len(texts))
	for i, text := range texts {
		e, err := t.encodeOne(text, int32(i))
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	if o.Truncation != nil {
		if err := t.truncate(parts, o); err != nil {
			return nil, err
		}
	}
	e := t.assemble(parts, !o.NoSpecialTokens)
	if o.Padding != nil {
		Pad([]*Encoding{e}, *o.Padding)
	}
	return e, nil
}

// encodeOne encodes one sequence without special tokens.
func (t *Tokenizer) encodeOne(text string, typeID int32) (*Encoding, error) {
	sc := t.scratch.Get().(*scratch)
	defer t.scratch.Put(sc)
	text = mend(text)
	sc.out.reset(true)
	if err := t.body(sc, text); err != nil {
		return nil, err
	}
	n := len(sc.out.ids)
	e := &Encoding{
		IDs: clone(sc.out.ids), TypeIDs: make([]int32, n), Tokens: make([]string, n),
		Offsets: make([]Span, n), ByteOffsets: make([]Span, n),
		SpecialTokensMask: make([]int32, n), AttentionMask: make([]int32, n),
	}
	for i, s := range sc.out.spans {
		e.ByteOffsets[i] = Span(s)
		e.Tokens[i] = t.modelToken(e.IDs[i])
		e.TypeIDs[i], e.AttentionMask[i] = typeID, 1
	}
	for _, special := range sc.out.texts {
		e.Tokens[special.index] = special.text
	}
	toChars(e.Offsets, sc.out.spans, text)
	return e, nil
}

// modelToken is the text of a token as the model has it.
func (t *Tokenizer) modelToken(id int32) string {
	token, _ := t.vocab.Text(id)
	return token
}

// AppendBody appends the tokens of text without special tokens, neither cut nor padded, and their spans in
// characters. It is Encode for those who need no more than that, and fails where Encode does; then ids and spans are
// as they came.
func (t *Tokenizer) AppendBody(ids []int32, spans []Span, text string) ([]int32, []Span, error) {
	sc := t.scratch.Get().(*scratch)
	defer t.scratch.Put(sc)
	text = mend(text)
	sc.out.reset(t.trims)
	if err := t.body(sc, text); err != nil {
		return ids, spans, err
	}
	ids = append(ids, sc.out.ids...)
	from := len(spans)
	spans = grow(spans, len(sc.out.spans))
	toChars(spans[from:], sc.out.spans, text)
	if t.trims {
		t.trimBody(spans[from:], sc)
	}
	return ids, spans, nil
}

func grow(s []Span, n int) []Span {
	if cap(s)-len(s) < n {
		s = append(make([]Span, 0, max(len(s)+n, 2*cap(s))), s...)
	}
	return s[:len(s)+n]
}

// NumSpecial is the number of special tokens that AppendInput adds.
func (t *Tokenizer) NumSpecial() int { return len(t.single.ids) }

// AppendInput appends the model's input for a body: its tokens with the special ones around them.
func (t *Tokenizer) AppendInput(ids, typeIDs, body []int32) ([]int32, []int32) {
	s := &t.single
	done := 0
	for i, at := range s.at {
		ids, typeIDs = append(ids, s.ids[done:at]...), append(typeIDs, s.typeIDs[done:at]...)
		ids = append(ids, body...)
		for range body {
			typeIDs = append(typeIDs, s.atTypes[i])
		}
		done = at
	}
	return append(ids, s.ids[done:]...), append(typeIDs, s.typeIDs[done:]...)
}

// body fills sc.out with the tokens of text.
func (t *Tokenizer) body(sc *scratch, text string) error {
	if len(text) > maxText {
		return fmt.Errorf("%w: text of %d bytes; the limit is %d", ErrOptions, len(text), maxText)
	}
	if !t.added.Raw() {
		return t.segment(sc, text, 0, len(text))
	}
	sc.parts = t.added.SplitRaw(sc.parts[:0], text)
	for _, p := range sc.parts {
		if p.ID >= 0 {
			t.addedToken(&sc.out, p.ID, text[p.Start:p.End], int32(p.Start), int32(p.End))
		} else if err := t.segment(sc, text, p.Start, p.End); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tokenizer) addedToken(out *output, id int32, text string, start, end int32) {
	if text == "" {
		return
	}
	if out.keep {
		out.texts = append(out.texts, textAt{len(out.ids), text})
	}
	out.token(id, start, end)
}

// segment encodes text[start:end], which holds none of the added tokens that are looked for in the text as given.
func (t *Tokenizer) segment(sc *scratch, text string, start, end int) error {
	if start == end {
		return nil
	}
	if t.fast != nil {
		done, err := t.fast.run(t, sc, text, start, end)
		if done || err != nil {
			return err
		}
	}
	return t.general(sc, text, start, end)
}

// general takes the segment through every step as the file lists them.
func (t *Tokenizer) general(sc *scratch, text string, start, end int) error {
	seg := aligned.Part(text, start, end)
	for _, step := range t.normalize {
		step(&seg)
	}
	if len(seg.Norm) == 0 {
		return nil
	}
	inner := t.added.SplitNormal(nil, string(seg.Norm))
	for _, p := range inner {
		if p.Start >= p.End {
			continue
		}
		part := seg.Slice(p.Start, p.End)
		if p.ID >= 0 {
			span := part.Original(0, len(part.Norm))
			t.addedToken(&sc.out, p.ID, string(part.Norm), span.Start, span.End)
			continue
		}
		if err := t.words(sc, part); err != nil {
			return err
		}
	}
	return nil
}

// words pre-tokenizes a piece of normalized text and gives the words to the model.
func (t *Tokenizer) words(sc *scratch, part aligned.Text) error {
	words := []aligned.Text{part}
	for _, step := range t.pretoken {
		var next []aligned.Text
		for _, w := range words {
			for _, w := range step(w) {
				if len(w.Norm) > 0 {
					next = append(next, w)
				}
			}
		}
		words = next
	}
	for i := range words {
		if err := t.word(sc, &words[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tokenizer) word(sc *scratch, w *aligned.Text) (err error) {
	word := unsafe.String(unsafe.SliceData(w.Norm), len(w.Norm))
	sc.tokens, err = t.model.Append(sc.tokens[:0], word, &sc.Scratch)
	if err != nil {
		return err
	}
	for _, tok := range sc.tokens {
		if sc.out.keep && tok.ID == t.unkText {
			sc.out.texts = append(sc.out.texts, textAt{len(sc.out.ids), string(w.Norm[tok.Start:tok.End])})
		}
		span := w.Original(int(tok.Start), int(tok.End))
		sc.out.token(tok.ID, span.Start, span.End)
	}
	return nil
}
