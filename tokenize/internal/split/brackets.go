package split

import (
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
	var sets [][]rune // what && separates
	var current []rune
	first := p.has("]") // a literal, where the brackets have another end
	if first && !strings.Contains(p.pattern[p.at+1:], "]") {
		return nil, p.refuse("brackets with nothing in them")
	}
	for ; ; first = false {
		switch {
		case !p.more():
			p.at = start
			return nil, p.refuse("brackets have no end")
		case !first && p.take("]"):
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
			if bare != name {
				ranges = complement(ranges)
			}
			p.at += len(name) + 4
			return ranges, p.noRange()
		}
	}
	if p.has("[") {
		return p.brackets(o)
	}
	ranges, first, err := p.rangeEnd()
	if err != nil {
		return nil, err
	}
	if first < 0 {
		return ranges, p.noRange()
	}
	if !p.has("-") || p.has("-]") {
		return []rune{first, first}, nil
	}
	p.at++
	if p.has("&&") || p.has("[") {
		return nil, p.refuse("'-' before && or '[' must be escaped")
	}
	_, last, err := p.rangeEnd()
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

// noRange refuses a '-' behind a class.
func (p *parser) noRange() error {
	if p.has("-") && !p.has("-]") {
		return p.refuse("a class cannot begin a range")
	}
	return nil
}

// rangeEnd parses a character (ranges is nil) or a class by escape (the character is −1).
func (p *parser) rangeEnd() (ranges []rune, r rune, err error) {
	if p.has(`\b`) {
		p.at += 2
		return nil, '\b', nil
	}
	if p.has(`\`) {
		return p.escaped("[%s]")
	}
	if !p.more() {
		return nil, 0, p.refuse("brackets have no end")
	}
	return nil, p.next(), nil
}

// literal is what a character matches: itself, and in any case its other cases.
func (p *parser) literal(r rune, o options) (*node, error) {
	ranges := []rune{r, r}
	if !o.fold {
		return setNode(ranges), nil
	}
	if r >= utf8.RuneSelf && ucd.FoldsWithOthers(r) {
		return nil, p.refuse("%q in any case can be one with its neighbours, or two letters, which is not supported", r)
	}
	ranges, err := p.foldSet(ranges)
	n := setNode(ranges)
	if err == nil && r < utf8.RuneSelf && asciiLetter(byte(r)) {
		n.letters = string(rune(byte(r) | 0x20))
	}
	return n, err
}

// foldSet adds the other cases of what a set holds.
func (p *parser) foldSet(ranges []rune) ([]rune, error) {
	out, one := ucd.Fold(ranges)
	if !one {
		return nil, p.refuse("characters that in any case are several letters, such as ß, are not supported")
	}
	return union(ranges, out), nil
}

// foldsTogether tells whether two letters in any case also match one character, such as ß or ﬁ.
func foldsTogether(two string) bool {
	switch two {
	case "ss", "st", "ff", "fi", "fl":
		return true
	}
	return false
}
