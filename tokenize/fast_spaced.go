package tokenize

import (
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/model"
	"textmill/tokenize/internal/spec"
)

// spaced is SentencePiece's kind of BPE: spaces become a character of their own and the whole text is one word. The
// model sees it in parts, cut before a space where no merge could reach across.
type spaced struct {
	words  *model.Spaced
	stands string // what a space becomes
	prefix prefixRule
	split  bool // each space starts a word, whatever the merges
	late   bool // spaces change only after added tokens have been looked for
}

// prefixRule says when what stands for a space is put before the text.
type prefixRule uint8

const (
	prefixNever  prefixRule = iota
	prefixAlways            // unless the text is empty
	prefixUnless            // unless it starts with one
	prefixFirst             // likewise, and only at the very start
)

func compileSpaced(t *Tokenizer, f *spec.File) fastPath {
	if f.Model.Type != "BPE" {
		return nil
	}
	p := &spaced{}
	if !p.readNormalizers(f.Normalizers) || !p.readPreTokenizers(f.PreTokenizers) || p.stands == "" {
		return nil
	}
	char, size := utf8.DecodeRuneInString(p.stands)
	if size != len(p.stands) || size < 2 {
		return nil
	}
	var ok bool
	if p.words, ok = model.NewSpaced(t.model, f.Model.Merges, char); !ok {
		return nil
	}
	return p
}

func (p *spaced) readNormalizers(list []spec.Normalizer) bool {
	for i, n := range list {
		switch {
		case n.Type == "Replace" && !n.Pattern.Regex && n.Pattern.Text == " " && p.stands == "" && i == len(list)-1:
			p.stands = n.Content
		case n.Type == "Prepend" && i == 0 && len(list) == 2 && n.Content == list[1].Content:
			p.prefix = prefixAlways
		default:
			return false
		}
	}
	return true
}

func (p *spaced) readPreTokenizers(list []spec.PreTokenizer) bool {
	if len(list) == 0 {
		return true
	}
	if len(list) > 1 {
		return false
	}
	switch s := list[0]; {
	case s.Type == "Split" && !s.Pattern.Regex && s.Pattern.Text == " " && !s.Invert && s.Behavior != "Removed":
		return p.stands != "" // there is no space left to split at
	case s.Type == "Metaspace" && p.stands == "":
		p.stands, p.split, p.late = string(s.Delimiter), s.Split, true
		p.prefix = map[string]prefixRule{"never": prefixNever, "always": prefixUnless, "first": prefixFirst}[s.Scheme]
		return true
	}
	return false
}

func (p *spaced) run(t *Tokenizer, sc *scratch, text string, start, end int) (bool, error) {
	v := view{s: text[start:end], base: int32(start)}
	prefixed := p.prefixes(v)
	if t.added.Normal() && p.holdsAdded(t, sc, v, prefixed) {
		return false, nil
	}
	for at := 0; at < len(v.s); {
		to := p.cut(v.s, at)
		if at == 0 && prefixed {
			if err := p.first(sc, v, to); err != nil {
				return true, err
			}
			at = to
			continue
		}
		tokens, err := p.words.Word(v.s[at:to], &sc.Scratch)
		if err != nil {
			return true, err
		}
		for _, tok := range tokens {
			sc.out.ids = append(sc.out.ids, tok.ID)
			sc.out.spans = append(sc.out.spans, v.span(int32(at)+tok.Start, int32(at)+tok.End))
		}
		at = to
	}
	return true, nil
}

func (p *spaced) prefixes(v view) bool {
	begins := v.s[0] == ' ' || strings.HasPrefix(v.s, p.stands)
	switch p.prefix {
	case prefixAlways:
		return true
	case prefixUnless:
		return !begins
	case prefixFirst:
		return !begins && v.base == 0
	}
	return false
}

// holdsAdded reports whether an added token is found in the normalized text.
func (p *spaced) holdsAdded(t *Tokenizer, sc *scratch, v view, prefixed bool) bool {
	s := v.s
	if !p.late {
		s = strings.ReplaceAll(s, " ", p.stands)
		if prefixed {
			s = p.stands + s
		}
	}
	sc.inner = t.added.SplitNormal(sc.inner[:0], s)
	return len(sc.inner) != 1 || sc.inner[0].ID >= 0
}

// cut finds where the part that starts at at ends.
func (p *spaced) cut(s string, at int) int {
	lead := p.stands[0]
	for i := at + 1; i < len(s); i++ {
		c := s[i]
		if c != ' ' && (c != lead || !strings.HasPrefix(s[i:], p.stands)) {
			continue
		}
		if p.split {
			return i
		}
		before := rune(s[i-1])
		if before >= utf8.RuneSelf {
			before, _ = utf8.DecodeLastRuneInString(s[:i])
		}
		if p.words.Cuts(before) {
			return i
		}
	}
	return len(s)
}

// first encodes v.s[:to] with the prefix before it, which has the place of the first character.
func (p *spaced) first(sc *scratch, v view, to int) error {
	sc.fastBuf.norm = append(append(sc.fastBuf.norm[:0], p.stands...), v.s[:to]...)
	tokens, err := p.words.Word(string(sc.fastBuf.norm), &sc.Scratch)
	if err != nil {
		return err
	}
	size := int32(len(p.stands))
	for _, tok := range tokens {
		from, to := max(0, tok.Start-size), max(1, tok.End-size)
		sc.out.ids = append(sc.out.ids, tok.ID)
		sc.out.spans = append(sc.out.spans, v.span(from, to))
	}
	return nil
}
