package split

import "textmill/tokenize/internal/ucd"

// The patterns below have scanners; anything else, be it one character apart, goes through the compiler.
const (
	GPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	Llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	Qwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	GPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// DeepSeekV3 is the sequence of three isolating splits that one scanner does at once.
var DeepSeekV3 = []string{
	`\p{N}{1,3}`,
	"[一-龥\u3040-ゟ゠-ヿ]+",
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|" +
		`\s*[` + "\r\n" + `]+|\s+(?!\S)|\s+`,
}

var scanners = map[string]func(s string, at int) int{
	GPT2:   gpt2,
	Llama3: llama3,
	Qwen2:  qwen2,
	GPT4o:  gpt4o,
}

func gpt2(s string, at int) int {
	b := s[at]
	if b == '\'' {
		if n := contraction(s, at); n > 0 {
			return at + n
		}
	}
	i := at
	c, _ := class(s, at)
	if b == ' ' && at+1 < len(s) {
		i++
		c, _ = class(s, i)
	}
	switch {
	case c&letter != 0:
		return run(s, i, letter)
	case c&number != 0:
		return run(s, i, number)
	case c&space == 0:
		return runNot(s, i, space|letter|number)
	}
	return blank(s, at)
}

// contraction returns the length of 's 't 're 've 'm 'll 'd at s[at], 0 if there is none.
func contraction(s string, at int) int {
	if at+1 >= len(s) {
		return 0
	}
	switch s[at+1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if at+2 < len(s) && s[at+2] == 'e' {
			return 3
		}
	case 'l':
		if at+2 < len(s) && s[at+2] == 'l' {
			return 3
		}
	}
	return 0
}

// foldedContraction is contraction in any case; the long s is an s too.
func foldedContraction(s string, at int) int {
	if at+1 >= len(s) || s[at] != '\'' {
		return 0
	}
	second := byte(0)
	if at+2 < len(s) {
		second = s[at+2]
	}
	switch s[at+1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if second|0x20 == 'e' {
			return 3
		}
	case 'l':
		if second|0x20 == 'l' {
			return 3
		}
	case 0xC5 | 0x20:
		if s[at+1] == 0xC5 && second == 0xBF {
			return 3
		}
	}
	return 0
}

// blank matches \s+(?!\S)|\s+: all white space, but its last character stays for what follows.
func blank(s string, at int) int {
	i, last := at, at
	for i < len(s) {
		c, size := class(s, i)
		if c&space == 0 {
			if last > at {
				return last
			}
			return i
		}
		last = i
		i += size
	}
	return i
}

// lines matches \s*[\r\n]+|\s+(?!\S)|\s+.
func lines(s string, at int) int {
	i, last, lineEnd := at, at, -1
	for i < len(s) {
		c, size := class(s, i)
		if c&space == 0 {
			break
		}
		last = i
		i += size
		if c&newline != 0 {
			lineEnd = i
		}
	}
	switch {
	case lineEnd >= 0:
		return lineEnd
	case i < len(s) && last > at:
		return last
	}
	return i
}

func llama3(s string, at int) int { return contractWordNumber(s, at, 3) }
func qwen2(s string, at int) int  { return contractWordNumber(s, at, 1) }

func contractWordNumber(s string, at, digits int) int {
	c, size := class(s, at)
	switch {
	case c&letter != 0:
		return run(s, at+size, letter)
	case c&number != 0:
		return upTo(s, at+size, digits-1, number)
	}
	if n := foldedContraction(s, at); n > 0 {
		return at + n
	}
	next := ucd.Class(0)
	if at+size < len(s) {
		next, _ = class(s, at+size)
	}
	if c&newline == 0 && next&letter != 0 {
		return run(s, at+size, letter)
	}
	if end := symbols(s, at, c, next); end > 0 {
		return run(s, end, newline)
	}
	return lines(s, at)
}

// symbols matches ` ?[^\s\p{L}\p{N}]+` at a character of class c with one of class next behind it; 0 if it does not.
func symbols(s string, at int, c, next ucd.Class) int {
	const stop = space | letter | number
	switch {
	case c&stop == 0:
		return runNot(s, at, stop)
	case s[at] == ' ' && at+1 < len(s) && next&stop == 0:
		return runNot(s, at+1, stop)
	}
	return 0
}

func gpt4o(s string, at int) int {
	c, size := class(s, at)
	if c&number != 0 {
		return upTo(s, at+size, 2, number)
	}
	if end := casedWord(s, at, c, size); end > 0 {
		return end + foldedContraction(s, end)
	}
	next := ucd.Class(0)
	if at+size < len(s) {
		next, _ = class(s, at+size)
	}
	if end := symbols(s, at, c, next); end > 0 {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	return lines(s, at)
}

// casedWord matches the two alternatives for words, without the contraction; 0 if neither does.
func casedWord(s string, at int, c ucd.Class, size int) int {
	if c&letter != 0 {
		lower, upper := cased(s, at)
		if lower > 0 {
			return lower
		}
		return upper
	}
	upper := 0
	if c&newline == 0 {
		var lower int
		if lower, upper = cased(s, at+size); lower > 0 {
			return lower
		}
	}
	if c&mark != 0 { // it need not stand before the word, it can belong to it
		lower, _ := cased(s, at)
		return lower
	}
	return max(upper, 0)
}

// cased returns where [upper]*[lower]+ ends that begins at i, and where [upper]+ does; −1 for no match. Letters
// without case and marks are both: the last of them may serve as the lower part.
func cased(s string, i int) (lower, upper int) {
	lower, upper = -1, -1
	for i < len(s) {
		c, size := class(s, i)
		if c&upperOrLo == 0 {
			if c&lowerOrLo != 0 {
				return run(s, i+size, lowerOrLo), upper
			}
			break
		}
		i += size
		upper = i
		if c&lowerOrLo != 0 {
			lower = i
		}
	}
	return lower, upper
}
