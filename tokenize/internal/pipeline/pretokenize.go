package pipeline

import (
	"fmt"
	"unicode/utf8"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/jsonread"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/split"
	"textmill/tokenize/internal/ucd"
)

// PreTokenizer is one step that cuts a piece into smaller ones; empty pieces do not count.
type PreTokenizer func(aligned.Text) []aligned.Text

// PreTokenizers makes the steps that list describes.
func PreTokenizers(list []spec.PreTokenizer) ([]PreTokenizer, error) {
	var steps []PreTokenizer
	for _, p := range list {
		step, err := preTokenizer(p)
		if err != nil {
			return nil, &jsonread.Error{Path: p.Path, Err: err}
		}
		steps = append(steps, step...)
	}
	return steps, nil
}

// Finder compiles a pattern. Literal text needs no expression.
func Finder(p spec.Pattern) (aligned.Finder, error) {
	if !p.Regex && p.Text != "" {
		return aligned.Literal(p.Text), nil
	}
	if !p.Regex { // empty text matches between all characters, as the empty expression does
		return split.Compile("")
	}
	return split.Compile(p.Text)
}

// Behaviors are the behaviours by their names in the file.
var Behaviors = map[string]aligned.Behavior{
	"Removed": aligned.Removed, "Isolated": aligned.Isolated, "MergedWithPrevious": aligned.MergedWithPrevious,
	"MergedWithNext": aligned.MergedWithNext, "Contiguous": aligned.Contiguous,
}

func preTokenizer(p spec.PreTokenizer) ([]PreTokenizer, error) {
	switch p.Type {
	case "BertPreTokenizer":
		return []PreTokenizer{
			chars(is(ucd.RustSpace), aligned.Removed),
			chars(is(ucd.PunctOld), aligned.Isolated),
		}, nil
	case "ByteLevel":
		return byteLevel(p)
	case "CharDelimiterSplit":
		return one(chars(func(c rune) bool { return c == p.Delimiter }, aligned.Removed))
	case "Metaspace":
		return one(metaspace(p))
	case "Whitespace":
		return one(whitespace)
	case "WhitespaceSplit":
		return one(chars(is(ucd.RustSpace), aligned.Removed))
	case "Punctuation":
		return one(chars(is(ucd.PunctOld), Behaviors[p.Behavior]))
	case "Digits":
		if p.Individual {
			return one(chars(is(ucd.Numeric), aligned.Isolated))
		}
		return one(chars(is(ucd.Numeric), aligned.Contiguous))
	case "Split":
		find, err := Finder(p.Pattern)
		if err != nil {
			return nil, err
		}
		return one(splitter(find, Behaviors[p.Behavior], p.Invert))
	case "UnicodeScripts":
		return one(scripts)
	case "FixedLength":
		return one(func(t aligned.Text) []aligned.Text { return fixed(t, p.Length) })
	}
	return nil, fmt.Errorf("pre_tokenizer %q is not supported", p.Type)
}

func one(p PreTokenizer) ([]PreTokenizer, error) { return []PreTokenizer{p}, nil }

func cut(t aligned.Text, parts []aligned.Match) []aligned.Text {
	list := make([]aligned.Text, 0, len(parts))
	for _, m := range parts {
		if m.Start < m.End {
			list = append(list, t.Slice(m.Start, m.End))
		}
	}
	return list
}

func chars(in func(rune) bool, b aligned.Behavior) PreTokenizer {
	return func(t aligned.Text) []aligned.Text {
		return cut(t, aligned.Ranges(aligned.Chars(string(t.Norm), in), b))
	}
}

func splitter(find aligned.Finder, b aligned.Behavior, invert bool) PreTokenizer {
	return func(t aligned.Text) []aligned.Text {
		matches := aligned.Matches(string(t.Norm), find)
		if invert {
			aligned.Invert(matches)
		}
		return cut(t, aligned.Ranges(matches, b))
	}
}

func byteLevel(p spec.PreTokenizer) ([]PreTokenizer, error) {
	find, err := split.Compile(split.GPT2)
	if err != nil {
		return nil, err
	}
	words := splitter(find, aligned.Isolated, false)
	return one(func(t aligned.Text) []aligned.Text {
		if p.AddPrefixSpace && len(t.Norm) > 0 && t.Norm[0] != ' ' {
			t.Prepend(" ")
		}
		list := []aligned.Text{t}
		if p.UseRegex {
			list = words(t)
		}
		for i := range list {
			list[i].Bytes(&ByteChars)
		}
		return list
	})
}

func metaspace(p spec.PreTokenizer) PreTokenizer {
	replacement := string(p.Delimiter)
	return func(t aligned.Text) []aligned.Text {
		t.Replace(aligned.Matches(string(t.Norm), aligned.Literal(" ")), replacement)
		if p.Scheme == "always" || p.Scheme == "first" && t.Shift == 0 {
			if first, _ := utf8.DecodeRune(t.Norm); first != p.Delimiter {
				t.Prepend(replacement)
			}
		}
		if !p.Split {
			return []aligned.Text{t}
		}
		find := aligned.Chars(string(t.Norm), func(c rune) bool { return c == p.Delimiter })
		return cut(t, aligned.Ranges(find, aligned.MergedWithNext))
	}
}

// whitespace is \w+|[^\w\s]+ of the Rust regex library, everything else removed.
func whitespace(t aligned.Text) []aligned.Text {
	var list []aligned.Text
	const mask = ucd.RustWord | ucd.RustSpace
	s := string(t.Norm)
	start, kind := 0, ucd.Class(0)
	for i, c := range s {
		k := ucd.Of(c) & mask
		if k&ucd.RustWord != 0 {
			k = ucd.RustWord
		}
		if i > 0 && k != kind {
			if kind != ucd.RustSpace {
				list = append(list, t.Slice(start, i))
			}
			start = i
		}
		kind = k
	}
	if start < len(s) && kind != ucd.RustSpace {
		list = append(list, t.Slice(start, len(s)))
	}
	return list
}

// scripts cuts where the script changes. What comes before the first character of a script is dropped, as it is in
// Hugging Face's own.
func scripts(t aligned.Text) []aligned.Text {
	var bounds []int
	last := -1 // before any character; 0 is the script that goes with every other
	s := string(t.Norm)
	for i, c := range s {
		script := fixedScript(c)
		if script != 0 && last != 0 && last != script {
			bounds = append(bounds, i)
		}
		if script != 0 {
			last = script
		}
	}
	bounds = append(bounds, len(s))
	var parts []aligned.Match
	for i := 1; i < len(bounds); i++ {
		parts = append(parts, aligned.Match{Start: bounds[i-1], End: bounds[i]})
	}
	return cut(t, parts)
}

func fixedScript(c rune) int {
	if c == ' ' {
		return 0
	}
	return int(ucd.Script(c))
}

func fixed(t aligned.Text, length int) []aligned.Text {
	var parts []aligned.Match
	start, n := 0, 0
	s := string(t.Norm)
	for i := range s {
		if n == length {
			parts = append(parts, aligned.Match{Start: start, End: i})
			start, n = i, 0
		}
		n++
	}
	return cut(t, append(parts, aligned.Match{Start: start, End: len(s)}))
}
