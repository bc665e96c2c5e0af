package main

import (
	"fmt"
	"unicode/utf8"

	"textmill/tokenize/internal/normal"
	"textmill/tokenize/internal/split"
)

func splitAll(r request) any {
	compile := split.Compile
	if r.Compiled {
		compile = split.CompileGeneral
	}
	p, err := compile(r.Pattern)
	if err != nil {
		return refusal(err)
	}
	answers := make([][][2]int, len(r.Texts))
	for i, text := range r.Texts {
		answers[i] = [][2]int{}
		characters, at := 0, 0
		count := func(to int) int {
			characters += utf8.RuneCountInString(text[at:to])
			at = to
			return characters
		}
		for _, m := range p.Matches(nil, text) {
			answers[i] = append(answers[i], [2]int{count(m.Start), count(m.End)})
		}
	}
	return map[string]any{"matches": answers}
}

// normalized is a text and for each of its characters the range of characters that it came from.
type normalized struct {
	Text    string   `json:"text"`
	Offsets [][2]int `json:"offsets"`
	Quick   bool     `json:"quick"` // said to be unchanged without looking closely
}

func normalizeAll(r request) any {
	forms := map[string]func([]normal.Change, string) []normal.Change{
		"NFC": normal.AppendNFC, "NFD": normal.AppendNFD, "NFKC": normal.AppendNFKC, "NFKD": normal.AppendNFKD,
		"Lowercase": normal.AppendLower,
	}
	quick := map[string]func(string) bool{"NFC": normal.IsNFC, "NFD": normal.IsNFD, "NFKC": normal.IsNFKC,
		"NFKD": normal.IsNFKD}
	form := forms[r.Form]
	if r.Charsmap != nil {
		m, err := normal.ParseCharsmap(r.Charsmap)
		if err != nil {
			return refusal(err)
		}
		form = func(dst []normal.Change, s string) []normal.Change {
			dst, _ = m.Append(dst, s)
			return dst
		}
	}
	if form == nil {
		return refusal(fmt.Errorf("no such form %q", r.Form))
	}
	answers := make([]normalized, len(r.Texts))
	for i, text := range r.Texts {
		answers[i] = apply(form(nil, text))
		if q := quick[r.Form]; q != nil {
			answers[i].Quick = q(text)
		}
	}
	return map[string]any{"normalized": answers}
}

func apply(changes []normal.Change) normalized {
	n := normalized{Offsets: [][2]int{}}
	at := 0 // characters of the source that are used up
	for _, c := range changes {
		from := [2]int{at, at + 1}
		switch {
		case c.D > 0 && at == 0:
			from = [2]int{0, 0}
		case c.D > 0:
			from = [2]int{at - 1, at}
		default:
			at += 1 - int(c.D)
		}
		n.Text += string(c.R)
		n.Offsets = append(n.Offsets, from)
	}
	return n
}
