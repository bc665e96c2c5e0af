package jinja

import (
	"strings"
	"unicode"

	"textmill/tokenize/chat/internal/python"
)

// wrapper breaks a line as Python's textwrap does, where tabs and other white space stay.
type wrapper struct {
	m         *python.Meter
	width     int
	breakLong bool
	hyphens   bool
}

func isWrapSpace(r rune) bool { return strings.ContainsRune("\t\n\v\f\r ", r) }
func isLetter(r rune) bool    { return isWord(r) && !python.IsDecimal(r) }
func isPunct(r rune) bool     { return isWord(r) || strings.ContainsRune("!\"'&.,?", r) }

// chunks cuts a line into words, white space and dashes.
func (w *wrapper) chunks(s []rune) [][]rune {
	var out [][]rune
	for at := 0; at < len(s); {
		end := at
		if isWrapSpace(s[at]) {
			for end < len(s) && isWrapSpace(s[end]) {
				end++
			}
		} else {
			end = w.word(s, at)
		}
		w.m.Charge(1 + (end-at)/8)
		out = append(out, s[at:end])
		at = end
	}
	return out
}

// word tells where the word at a place ends.
func (w *wrapper) word(s []rune, at int) int {
	get := func(i int) rune {
		if i < 0 || i >= len(s) {
			return -1
		}
		return s[i]
	}
	if w.hyphens && get(at) == '-' && isPunct(get(at-1)) { // a dash between words
		end := at
		for get(end) == '-' {
			end++
		}
		if end-at >= 2 && isWord(get(end)) {
			return end
		}
	}
	for i := at + 1; ; i++ {
		switch {
		case i >= len(s) || isWrapSpace(s[i]):
			return min(i, len(s))
		case !w.hyphens:
			continue
		}
		if s[i] == '-' && (isLetter(get(i-1)) && isLetter(get(i-2)) || w.afterHyphen(get, i)) {
			next := get(i + 1)
			if isLetter(next) && (isLetter(get(i+2)) || get(i+2) == '-' && isLetter(get(i+3))) {
				return i + 1
			}
		}
		if isPunct(get(i-1)) && s[i] == '-' && get(i+1) == '-' {
			end := i
			for get(end) == '-' {
				end++
			}
			if isWord(get(end)) {
				return i
			}
		}
	}
}

// afterHyphen tells a hyphen that ends "x-y-": a letter, a hyphen and a character of a word stand before it.
func (w *wrapper) afterHyphen(get func(int) rune, i int) bool {
	return get(i-2) == '-' && isLetter(get(i-3)) && isPunct(get(i-1))
}

func blankRunes(s []rune) bool {
	for _, r := range s {
		if !unicode.IsSpace(r) && !python.IsSpace(r) {
			return false
		}
	}
	return true
}

// wrap is textwrap.wrap.
func (w *wrapper) wrap(line string) []string {
	w.m.Bytes(4 * len(line))
	chunks := w.chunks([]rune(line))
	var lines []string
	for len(chunks) > 0 {
		var current [][]rune
		length := 0
		if blankRunes(chunks[0]) && len(lines) > 0 {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && length+len(chunks[0]) <= w.width {
			current = append(current, chunks[0])
			length += len(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > w.width {
			if cut := w.cut(chunks[0], w.width-length); w.breakLong {
				current = append(current, chunks[0][:cut])
				chunks[0] = chunks[0][cut:]
			} else if len(current) == 0 {
				current = append(current, chunks[0])
				chunks = chunks[1:]
			}
		}
		if n := len(current); n > 0 && blankRunes(current[n-1]) {
			current = current[:n-1]
		}
		if len(current) > 0 {
			var b strings.Builder
			for _, c := range current {
				b.WriteString(string(c))
			}
			lines = append(lines, b.String())
		}
		w.m.Charge(1)
	}
	return lines
}

// cut tells where a word that is too long is broken: behind its last hyphen that fits, if there is one.
func (w *wrapper) cut(chunk []rune, room int) int {
	if w.width < 1 {
		room = 1
	}
	room = max(room, 0)
	if w.hyphens && len(chunk) > room {
		for i := room - 1; i > 0; i-- {
			if chunk[i] == '-' && strings.Trim(string(chunk[:i]), "-") != "" {
				return i + 1
			}
			if chunk[i] == '-' {
				break
			}
		}
	}
	return room
}
