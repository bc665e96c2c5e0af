package split

import (
	"slices"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

// brackets parses a class, its nested classes and intersections.
func (p *parser) brackets(o options) ([]rune, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.refuse("brackets nest deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	start := p.at
	p.at++
	negated := p.take("^")
	if p.has("]") {
		return nil, p.refuse("']' first in brackets must be escaped")
	}
	var sets [][]rune // what && separates
	var current []rune
	for {
		switch {
		case !p.more():
			p.at = start
			return nil, p.refuse("brackets have no end")
		case p.take("]"):
			for _, s := range sets {
				current = intersect(current, s)
			}
			if o.fold {
				var err error
				if current, err = p.foldSet(current); err != nil {
					return nil, err
				}
			}
			if negated {
				current = complement(current)
			}
			return current, nil
		case p.take("&&"):
			sets = append(sets, union(current))
			current = nil
		default:
			member, err := p.member(o)
			if err != nil {
				return nil, err
			}
			current = union(current, member)
		}
	}
}

// member parses one thing inside brackets: a nested class, a named one, a character or a range.
func (p *parser) member(o options) ([]rune, error) {
	if p.has("[:") {
		if name, _, ok := strings.Cut(p.pattern[p.at+2:], ":]"); ok {
			bare := strings.TrimPrefix(name, "^")
			ranges, known := ucd.Property("[:" + bare + ":]")
			if !known {
				return nil, p.refuse("POSIX class %q is not known", name)
			}
			if o.fold {
				return nil, p.refuse("[:%s:] in any case is not supported", name)
			}
			if bare != name {
				ranges = complement(ranges)
			}
			p.at += len(name) + 4
			return ranges, nil
		}
	}
	if p.has("[") {
		return p.brackets(o)
	}
	ranges, first, err := p.rangeEnd(o)
	if err != nil || first < 0 {
		return ranges, err
	}
	if !p.has("-") || strings.HasPrefix(p.pattern[p.at:], "-]") {
		return []rune{first, first}, nil
	}
	p.at++
	if p.has("[") || p.has("&&") {
		return nil, p.refuse("'-' before a nested class must be escaped")
	}
	_, last, err := p.rangeEnd(o)
	switch {
	case err != nil:
		return nil, err
	case last < 0:
		return nil, p.refuse("a class cannot end a range")
	case last < first:
		return nil, p.refuse("range %q-%q runs backwards", first, last)
	}
	return []rune{first, last}, nil
}

// rangeEnd parses a character (ranges is nil) or a class by escape (the character is −1).
func (p *parser) rangeEnd(o options) (ranges []rune, r rune, err error) {
	if p.has(`\b`) {
		p.at += 2
		return nil, '\b', nil
	}
	if p.has(`\`) {
		return p.escaped(o, "[%s]")
	}
	if !p.more() {
		return nil, 0, p.refuse("brackets have no end")
	}
	return nil, p.next(), nil
}

// literal returns what a character matches: itself, and in any case its other cases.
func (p *parser) literal(r rune, o options) ([]rune, error) {
	if !o.fold {
		return []rune{r, r}, nil
	}
	return p.foldSet([]rune{r, r})
}

// foldSet adds the other cases of ASCII letters, among them the long s and the Kelvin sign.
func (p *parser) foldSet(ranges []rune) ([]rune, error) {
	if slices.ContainsFunc(ranges, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil, p.refuse("characters beyond ASCII in any case are not supported")
	}
	lists := [][]rune{ranges}
	for r := 'a'; r <= 'z'; r++ {
		upper := r - 'a' + 'A'
		if !inRanges(ranges, r) && !inRanges(ranges, upper) {
			continue
		}
		lists = append(lists, []rune{r, r}, []rune{upper, upper})
		switch r {
		case 's':
			lists = append(lists, []rune{'ſ', 'ſ'})
		case 'k':
			lists = append(lists, []rune{0x212A, 0x212A})
		}
	}
	return union(lists...), nil
}

// foldedTail keeps the last letters of a run of literals, in lower case.
func foldedTail(tail string, literal rune) string {
	if literal == 0 || literal >= utf8.RuneSelf || !asciiLetter(byte(literal)) {
		return ""
	}
	tail += string(rune(byte(literal) | 0x20))
	return tail[max(0, len(tail)-2):]
}

// foldsTogether tells whether two letters in any case also match one character, such as ß or ﬁ.
func foldsTogether(two string) bool {
	switch two {
	case "ss", "st", "ff", "fi", "fl":
		return true
	}
	return false
}
