// Package pipeline runs normalizers and pre-tokenizers one after another, each exactly as Hugging Face does.
//
// It is the reference that faster ways through a tokenizer are held against.
package pipeline

import (
	"fmt"

	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/jsonread"
	"textmill/tokenize/internal/normal"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/ucd"
)

// Normalizer is one step that changes a text.
type Normalizer func(*aligned.Text)

// Normalizers makes the steps that list describes.
func Normalizers(list []spec.Normalizer) ([]Normalizer, error) {
	var steps []Normalizer
	for _, n := range list {
		step, err := normalizer(n)
		if err != nil {
			return nil, &jsonread.Error{Path: n.Path, Err: err}
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func normalizer(n spec.Normalizer) (Normalizer, error) {
	switch n.Type {
	case "BertNormalizer":
		return func(t *aligned.Text) { bert(t, n) }, nil
	case "NFC":
		return form(normal.AppendNFC), nil
	case "NFD":
		return form(normal.AppendNFD), nil
	case "NFKC":
		return form(normal.AppendNFKC), nil
	case "NFKD":
		return form(normal.AppendNFKD), nil
	case "Lowercase":
		return form(normal.AppendLower), nil
	case "StripAccents":
		return func(t *aligned.Text) { t.Filter(isNot(ucd.Combining)) }, nil
	case "Nmt":
		return nmt, nil
	case "ByteLevel":
		return func(t *aligned.Text) {
			if len(t.Norm) > 0 {
				t.Bytes(&ByteChars)
			}
		}, nil
	case "Strip":
		return func(t *aligned.Text) { t.Strip(n.Left, n.Right, is(ucd.RustSpace)) }, nil
	case "Replace":
		find, err := Finder(n.Pattern)
		if err != nil {
			return nil, err
		}
		return func(t *aligned.Text) { t.Replace(aligned.Matches(string(t.Norm), find), n.Content) }, nil
	case "Prepend":
		return func(t *aligned.Text) { t.Prepend(n.Content) }, nil
	case "Precompiled":
		charsmap, err := normal.ParseCharsmap(n.Charsmap)
		if err != nil {
			return nil, err
		}
		return func(t *aligned.Text) {
			if changes, modified := charsmap.Append(nil, string(t.Norm)); modified {
				t.Transform(changes, 0)
			}
		}, nil
	}
	return nil, fmt.Errorf("normalizer %q is not supported", n.Type)
}

func form(appendForm func([]normal.Change, string) []normal.Change) Normalizer {
	return func(t *aligned.Text) { t.Transform(appendForm(nil, string(t.Norm)), 0) }
}

func is(class ucd.Class) func(rune) bool {
	return func(c rune) bool { return ucd.Is(c, class) }
}

func isNot(class ucd.Class) func(rune) bool {
	return func(c rune) bool { return !ucd.Is(c, class) }
}

func bert(t *aligned.Text, n spec.Normalizer) {
	if n.CleanText {
		t.Filter(isNot(ucd.ControlOld))
		t.Map(func(c rune) rune {
			if ucd.Is(c, ucd.CleanSpace) {
				return ' '
			}
			return c
		})
	}
	if n.CJK {
		var changes []normal.Change
		for _, c := range string(t.Norm) {
			if ucd.Is(c, ucd.CJK) {
				changes = append(changes, normal.Change{R: ' '}, normal.Change{R: c, D: 1}, normal.Change{R: ' ', D: 1})
			} else {
				changes = append(changes, normal.Change{R: c})
			}
		}
		t.Transform(changes, 0)
	}
	if n.StripAccents {
		t.Transform(normal.AppendNFD(nil, string(t.Norm)), 0)
		t.Filter(isNot(ucd.MarkOld))
	}
	if n.Lowercase {
		t.Transform(normal.AppendLower(nil, string(t.Norm)), 0)
	}
}

func nmt(t *aligned.Text) {
	t.Filter(func(c rune) bool {
		return !(c >= 1 && c <= 8 || c == 0xB || c >= 0xE && c <= 0x1F || c == 0x7F || c == 0x8F || c == 0x9F)
	})
	t.Map(func(c rune) rune {
		switch c {
		case '\t', '\n', '\f', '\r', 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
			return ' '
		}
		return c
	})
}

// ByteChars are the characters that stand for bytes in byte-level tokenizers.
var ByteChars = byteChars()

func byteChars() (table [256]rune) {
	next := rune(256)
	for b := range table {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			table[b] = rune(b)
			continue
		}
		table[b] = next
		next++
	}
	return table
}
