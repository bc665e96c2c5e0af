package tokenize

import (
	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/model"
	"textmill/tokenize/internal/normal"
	"textmill/tokenize/internal/pipeline"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/split"
	"textmill/tokenize/internal/ucd"
)

// byteLevel is byte-level BPE behind patterns that have scanners: words go to the model as bytes of the text.
type byteLevel struct {
	words       *model.Bytes
	scan        func(s string, at int) int
	digits      string // how the Digits step before the pattern cuts: "", "each", "runs"
	prefixSpace bool
	form        *normalForm
}

// normalForm is a Unicode normal form with its quick check.
type normalForm struct {
	is     func(string) bool
	append func([]normal.Change, string) []normal.Change
}

var normalForms = map[string]*normalForm{
	"NFC": {normal.IsNFC, normal.AppendNFC}, "NFD": {normal.IsNFD, normal.AppendNFD},
	"NFKC": {normal.IsNFKC, normal.AppendNFKC}, "NFKD": {normal.IsNFKD, normal.AppendNFKD},
}

func compileBytes(t *Tokenizer, f *spec.File) fastPath {
	b := &byteLevel{}
	switch {
	case len(f.Normalizers) == 1 && normalForms[f.Normalizers[0].Type] != nil:
		b.form = normalForms[f.Normalizers[0].Type]
	case len(f.Normalizers) > 0:
		return nil
	}
	steps := f.PreTokenizers
	if len(steps) > 1 && steps[0].Type == "Digits" {
		b.digits = "runs"
		if steps[0].Individual {
			b.digits = "each"
		}
		steps = steps[1:]
	}
	if len(steps) == 0 || steps[len(steps)-1].Type != "ByteLevel" {
		return nil
	}
	last := steps[len(steps)-1]
	var patterns []string
	for _, p := range steps[:len(steps)-1] {
		if p.Type != "Split" || !p.Pattern.Regex || !isolates(p) {
			return nil
		}
		patterns = append(patterns, p.Pattern.Text)
	}
	if last.UseRegex {
		patterns = append(patterns, split.GPT2)
	}
	b.prefixSpace = last.AddPrefixSpace
	if b.prefixSpace && (len(steps) > 1 || b.digits != "") {
		return nil
	}
	p := split.Sequence(patterns)
	if p == nil {
		return nil
	}
	b.scan = p.Scanner()
	var ok bool
	if b.words, ok = model.NewBytes(t.model, &pipeline.ByteChars); !ok {
		return nil
	}
	return b
}

// isolates reports whether each match of a pattern that covers the text becomes a piece.
func isolates(p spec.PreTokenizer) bool {
	return p.Behavior == "Isolated" || p.Behavior == "Removed" && p.Invert
}

func (b *byteLevel) run(t *Tokenizer, sc *scratch, text string, start, end int) (bool, error) {
	v := view{s: text[start:end], base: int32(start)}
	if b.form != nil && !b.form.is(v.s) {
		seg := aligned.Part(text, start, end)
		seg.Transform(b.form.append(nil, v.s), 0)
		v = viewOf(&seg)
	}
	return true, t.eachPart(sc, v, func(v view) error { return b.piece(sc, v) })
}

// piece pre-tokenizes what lies between added tokens.
func (b *byteLevel) piece(sc *scratch, v view) error {
	switch {
	case b.prefixSpace && v.s[0] != ' ':
		return b.prefixed(sc, v)
	case b.digits != "":
		return b.betweenDigits(sc, v)
	}
	return b.scanAll(sc, v)
}

func (b *byteLevel) scanAll(sc *scratch, v view) error {
	s := v.s
	for at := 0; at < len(s); {
		end := b.scan(s, at)
		tokens, err := b.words.Word(s[at:end], &sc.Scratch)
		if err != nil {
			return err
		}
		for _, tok := range tokens {
			sc.out.ids = append(sc.out.ids, tok.ID)
			sc.out.spans = append(sc.out.spans, v.span(int32(at)+tok.Start, int32(at)+tok.End))
		}
		at = end
	}
	return nil
}

// prefixed scans with a space put before the text; the space has the place of the first character.
func (b *byteLevel) prefixed(sc *scratch, v view) error {
	sc.fastBuf.norm = append(append(sc.fastBuf.norm[:0], ' '), v.s...)
	s := string(sc.fastBuf.norm)
	for at := 0; at < len(s); {
		end := b.scan(s, at)
		tokens, err := b.words.Word(s[at:end], &sc.Scratch)
		if err != nil {
			return err
		}
		for _, tok := range tokens {
			from, to := max(0, int32(at)+tok.Start-1), max(1, int32(at)+tok.End-1)
			sc.out.ids = append(sc.out.ids, tok.ID)
			sc.out.spans = append(sc.out.spans, v.span(from, to))
		}
		at = end
	}
	return nil
}

// betweenDigits scans the stretches that the Digits step makes, each as a text of its own.
func (b *byteLevel) betweenDigits(sc *scratch, v view) error {
	from, inDigits := 0, false
	for i, c := range v.s {
		numeric := c >= '0' && c <= '9'
		if c >= 0x80 {
			numeric = ucd.Is(c, ucd.Numeric)
		}
		if i > from && (numeric != inDigits || numeric && b.digits == "each") {
			if err := b.scanAll(sc, v.part(from, i)); err != nil {
				return err
			}
			from = i
		}
		inDigits = numeric
	}
	return b.scanAll(sc, v.part(from, len(v.s)))
}
