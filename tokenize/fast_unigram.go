package tokenize

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/model"
	"textmill/tokenize/internal/normal"
	"textmill/tokenize/internal/pipeline"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/ucd"
)

// unigram is Metaspace words before a Unigram model: only text that a normalizer changes is copied with alignment.
type unigram struct {
	words    *model.Words
	steps    []pipeline.Normalizer
	still    []func(string) bool // whether the step leaves a text as it is; nil: it must be run
	stands   string
	scheme   string
	perSpace bool // WhitespaceSplit comes first
}

func compileUnigram(t *Tokenizer, f *spec.File) fastPath {
	if f.Model.Type != "Unigram" {
		return nil
	}
	u := &unigram{words: model.NewWords(t.model), steps: t.normalize}
	pre := f.PreTokenizers
	if len(pre) == 2 && pre[0].Type == "WhitespaceSplit" {
		u.perSpace, pre = true, pre[1:]
	}
	if len(pre) != 1 || pre[0].Type != "Metaspace" || !pre[0].Split || pre[0].Delimiter < utf8.RuneSelf {
		return nil
	}
	u.stands, u.scheme = string(pre[0].Delimiter), pre[0].Scheme
	for _, n := range f.Normalizers {
		u.still = append(u.still, leavesAlone(n))
	}
	return u
}

// leavesAlone is a quick test that a normalizer does not change a text; false may be wrong, true never is.
func leavesAlone(n spec.Normalizer) func(string) bool {
	switch n.Type {
	case "NFC", "NFD", "NFKC", "NFKD":
		return normalForms[n.Type].is
	case "Nmt":
		return printable
	case "Precompiled":
		var ascii strings.Builder
		for c := byte(' '); c < 0x7F; c++ {
			ascii.WriteByte(c)
		}
		charsmap, err := normal.ParseCharsmap(n.Charsmap)
		if err != nil {
			return nil
		}
		if _, modified := charsmap.Append(nil, ascii.String()); !modified {
			return printable
		}
	case "Replace":
		find, err := pipeline.Finder(n.Pattern)
		if err != nil {
			return nil
		}
		return func(s string) bool { return len(find.Matches(nil, s)) == 0 }
	}
	return nil
}

// printable reports whether a text is of printable ASCII characters and spaces alone.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

func (u *unigram) run(t *Tokenizer, sc *scratch, text string, start, end int) (bool, error) {
	v := view{s: text[start:end], base: int32(start)}
	i := 0
	for i < len(u.steps) && u.still[i] != nil && u.still[i](v.s) {
		i++
	}
	if i < len(u.steps) {
		seg := aligned.Part(text, start, end)
		for ; i < len(u.steps); i++ {
			s := unsafe.String(unsafe.SliceData(seg.Norm), len(seg.Norm))
			if u.still[i] == nil || !u.still[i](s) {
				u.steps[i](&seg)
			}
		}
		if len(seg.Norm) == 0 {
			return true, nil
		}
		v = viewOf(&seg)
	}
	return true, t.eachPart(sc, v, func(v view) error { return u.pieces(t, sc, v) })
}

// pieces cuts at white space when that comes first.
func (u *unigram) pieces(t *Tokenizer, sc *scratch, v view) error {
	if !u.perSpace {
		return u.metaspace(t, sc, v)
	}
	from := 0
	for i, c := range v.s {
		if !ucd.Is(c, ucd.RustSpace) {
			continue
		}
		if from < i {
			if err := u.metaspace(t, sc, v.part(from, i)); err != nil {
				return err
			}
		}
		from = i + utf8.RuneLen(c)
	}
	if from == len(v.s) {
		return nil
	}
	return u.metaspace(t, sc, v.part(from, len(v.s)))
}

// metaspace makes words that each start with a space's stand-in, and gives them to the model.
func (u *unigram) metaspace(t *Tokenizer, sc *scratch, v view) error {
	for at := 0; at < len(v.s); {
		to := u.next(v.s, at+1)
		word := sc.fastBuf.norm[:0]
		lead := int32(len(u.stands)) // bytes of the view that the stand-in at the start of the word takes
		switch {
		case v.s[at] == ' ':
			lead = 1
			word = append(append(word, u.stands...), v.s[at+1:to]...)
		case !strings.HasPrefix(v.s[at:], u.stands) && u.prefixes(v):
			lead = 0
			word = append(append(word, u.stands...), v.s[at:to]...)
		default:
			word = append(word, v.s[at:to]...)
		}
		sc.fastBuf.norm = word
		if err := u.word(t, sc, v, at, lead); err != nil {
			return err
		}
		at = to
	}
	return nil
}

// next finds the next space or stand-in from at on.
func (u *unigram) next(s string, at int) int {
	for i := at; i < len(s); i++ {
		if s[i] == ' ' || s[i] == u.stands[0] && strings.HasPrefix(s[i:], u.stands) {
			return i
		}
	}
	return len(s)
}

func (u *unigram) prefixes(v view) bool {
	return u.scheme == "always" || u.scheme == "first" && v.span(0, 1).Start == 0
}

func (u *unigram) word(t *Tokenizer, sc *scratch, v view, at int, lead int32) error {
	word := sc.fastBuf.norm
	tokens, err := u.words.Word(unsafe.String(unsafe.SliceData(word), len(word)), &sc.Scratch)
	if err != nil {
		return err
	}
	shift := lead - int32(len(u.stands))
	for _, tok := range tokens {
		if sc.out.keep && tok.ID == t.unkText {
			sc.out.texts = append(sc.out.texts, textAt{len(sc.out.ids), string(word[tok.Start:tok.End])})
		}
		from, to := max(0, tok.Start+shift), max(1, tok.End+shift)
		if tok.Start == 0 {
			from = 0
		}
		sc.out.ids = append(sc.out.ids, tok.ID)
		sc.out.spans = append(sc.out.spans, v.span(int32(at)+from, int32(at)+to))
	}
	return nil
}
