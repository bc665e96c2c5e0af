package split

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

var anchors = map[byte]anchor{'A': textStart, 'z': textEnd, 'Z': lastLineEnd, 'b': wordEdge, 'B': noWordEdge,
	'G': searchStart,
	'y': segmentEdge, 'Y': noSegmentEdge}

// escape parses what a backslash means outside of brackets.
func (p *parser) escape(o options) (*node, error) {
	if p.at+1 == len(p.pattern) {
		return nil, p.refuse("pattern ends in a backslash")
	}
	letter := p.pattern[p.at+1]
	if a, ok := anchors[letter]; ok {
		if (a == textEnd || a == lastLineEnd) && p.behind != notBehind {
			return nil, p.refuse("end of the text in look-behind")
		}
		p.at += 2
		return &node{kind: kindAnchor, anchor: a}, nil
	}
	switch letter {
	case 'X':
		p.at += 2
		return &node{kind: kindGrapheme}, nil
	case 'R':
		p.at += 2
		crlf := &node{kind: kindSequence, children: []*node{setNode([]rune{'\r', '\r'}), setNode([]rune{'\n', '\n'})}}
		one := setNode([]rune{'\n', '\r', 0x85, 0x85, 0x2028, 0x2029})
		return &node{kind: kindAtomic, children: []*node{{kind: kindChoice, children: []*node{crlf, one}}}}, nil
	case 'N', 'O':
		p.at += 2
		n := setNode(dot(options{dotAll: letter == 'O'}))
		n.any = letter == 'O'
		return n, nil
	case 'K':
		if p.inside > 0 {
			return nil, p.refuse(`\K in look-around or an atomic group is not supported`)
		}
		p.at += 2
		return &node{kind: kindKeep}, nil
	case 'k':
		return nil, p.refuse("back-references are not supported")
	case 'g':
		return nil, p.refuse("calls of groups are not supported")
	}
	ranges, literal, err := p.escaped("%s")
	if err != nil {
		return nil, err
	}
	if literal >= 0 {
		return p.literal(literal, o)
	}
	return setNode(ranges), nil
}

// class is the set of an escaped letter.
func (p *parser) class(context, letter string) ([]rune, error) {
	ranges, known := ucd.Property(fmt.Sprintf(context, `\`+letter))
	if !known {
		return nil, p.refuse(`class \%s is not known here`, letter)
	}
	return ranges, nil
}

// escaped parses what a backslash means: a class, or one character (else −1). Brackets have their own idea of the
// classes: context is "[%s]" there and "%s" outside.
func (p *parser) escaped(context string) (ranges []rune, literal rune, err error) {
	from := p.at
	p.at++
	if !p.more() {
		return nil, 0, p.refuse("pattern ends in a backslash")
	}
	r := p.next()
	switch r {
	case 'w', 'd', 's', 'h':
		ranges, err = p.class(context, string(r))
		return ranges, -1, err
	case 'W', 'D', 'S', 'H':
		ranges, err = p.class(context, strings.ToLower(string(r)))
		return complement(ranges), -1, err
	case 'p', 'P':
		if p.has("{") {
			ranges, err = p.property(r == 'P')
			return ranges, -1, err
		}
		return nil, r, nil
	case 'n':
		return nil, '\n', nil
	case 'r':
		return nil, '\r', nil
	case 't':
		return nil, '\t', nil
	case 'f':
		return nil, '\f', nil
	case 'v':
		return nil, '\v', nil
	case 'a':
		return nil, '\a', nil
	case 'e':
		return nil, 0x1b, nil
	case 'x', 'u', 'o', '0':
		literal, err = p.code(r)
		return nil, literal, err
	}
	switch {
	case r >= '1' && r <= '9':
		p.at = from
		return nil, 0, p.refuse("back-references are not supported")
	case strings.ContainsRune("MCcNORXKGkgyYAzZB", r):
		p.at = from
		return nil, 0, p.refuse(`\%c is not supported here`, r)
	}
	return nil, r, nil
}

// code parses the digits of \xHH, \x{H…}, \uHHHH, \o{O…} and \0OO.
func (p *parser) code(letter rune) (rune, error) {
	digits, braced, base := "", false, 16
	switch rest := p.pattern[p.at:]; {
	case (letter == 'x' || letter == 'o') && strings.HasPrefix(rest, "{"):
		inner, _, ok := strings.Cut(rest[1:], "}")
		if !ok {
			return 0, p.refuse(`\%c{ has no end`, letter)
		}
		digits, braced = inner, true
		p.at += len(inner) + 2
	case letter == '0':
		digits, base = "0", 8
		for len(digits) < 3 && p.more() && p.pattern[p.at] >= '0' && p.pattern[p.at] <= '7' {
			digits += p.pattern[p.at : p.at+1]
			p.at++
		}
	case letter == 'u' && len(rest) >= 4:
		digits = rest[:4]
		p.at += 4
	case letter == 'x' && len(rest) >= 2:
		digits = rest[:2]
		p.at += 2
	}
	if letter == 'o' {
		base = 8
	}
	n, err := strconv.ParseUint(digits, base, 32)
	switch {
	case err != nil || strings.Contains(digits, "_"):
		return 0, p.refuse(`\%c wants digits`, letter)
	case !utf8.ValidRune(rune(n)) || n > utf8.MaxRune:
		return 0, p.refuse(`\%c%s is no character`, letter, digits)
	case !braced && letter != 'u' && n >= utf8.RuneSelf:
		return 0, p.refuse(`\%c%s would be a single byte of UTF-8, which is not supported`, letter, digits)
	}
	return rune(n), nil
}

func (p *parser) property(negated bool) ([]rune, error) {
	name, _, ok := strings.Cut(p.pattern[p.at:], "}")
	if !ok || !strings.HasPrefix(name, "{") {
		return nil, p.refuse(`\p wants a name in braces`)
	}
	inner := strings.TrimPrefix(name[1:], "^")
	if inner != name[1:] {
		negated = !negated
	}
	ranges, known := ucd.Property(inner)
	if !known || strings.HasPrefix(inner, "[") || strings.HasPrefix(inner, `\`) {
		return nil, p.refuse("property %q is not known", inner)
	}
	p.at += len(name) + 1
	if negated {
		ranges = complement(ranges)
	}
	return ranges, nil
}
