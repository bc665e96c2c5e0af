package split

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

type kind int

const (
	kindEmpty kind = iota
	kindSet        // one character
	kindSequence
	kindChoice
	kindRepeat
	kindAtomic
	kindLook
	kindAnchor
)

// node is a piece of a pattern. Groups leave no node: nothing here asks what they captured.
type node struct {
	kind     kind
	set      *set
	children []*node

	min, max   int // kindRepeat; max −1 is without end
	lazy       bool
	negated    bool   // kindLook
	behind     bool   // kindLook
	anchor     anchor // kindAnchor
	characters int    // kindLook behind: how many its body takes
}

type parser struct {
	pattern string
	at      int
	depth   int
}

// options are what (?i) and (?m) switch.
type options struct{ fold, dotAll bool }

const (
	maxDepth  = 100  // of nested groups and brackets
	maxRepeat = 1000 // as a count of a repeat
)

// refuse says what cannot be honoured and where.
func (p *parser) refuse(format string, args ...any) error {
	return fmt.Errorf("pattern %q, character %d: %s", p.pattern, utf8.RuneCountInString(p.pattern[:p.at])+1, fmt.Sprintf(format, args...))
}

func (p *parser) more() bool { return p.at < len(p.pattern) }

func (p *parser) has(prefix string) bool { return strings.HasPrefix(p.pattern[p.at:], prefix) }

func (p *parser) take(prefix string) bool {
	if p.has(prefix) {
		p.at += len(prefix)
		return true
	}
	return false
}

func (p *parser) next() rune {
	r, size := utf8.DecodeRuneInString(p.pattern[p.at:])
	p.at += size
	return r
}

func parse(pattern string) (*node, error) {
	p := &parser{pattern: pattern}
	if !utf8.ValidString(pattern) {
		return nil, fmt.Errorf("pattern %q is not valid UTF-8", pattern)
	}
	n, err := p.choice(options{})
	if err != nil {
		return nil, err
	}
	if p.more() {
		return nil, p.refuse("unmatched ')'")
	}
	return n, nil
}

func (p *parser) choice(o options) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.refuse("groups nest deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	c := &node{kind: kindChoice}
	for {
		s, err := p.sequence(o)
		if err != nil {
			return nil, err
		}
		c.children = append(c.children, s)
		if !p.take("|") {
			break
		}
	}
	if len(c.children) == 1 {
		return c.children[0], nil
	}
	return c, nil
}

func (p *parser) sequence(o options) (*node, error) {
	s := &node{kind: kindSequence}
	var folded string // the literals just read, for folds of two letters
	for p.more() && !p.has("|") && !p.has(")") {
		from := p.at
		n, literal, err := p.atom(o)
		if err != nil {
			return nil, err
		}
		if o.fold {
			folded = foldedTail(folded, literal)
			if foldsTogether(folded) {
				p.at = from
				return nil, p.refuse("%q matched in any case is also one ligature or letter, which is not supported", folded)
			}
		}
		if n, err = p.repeats(n); err != nil {
			return nil, err
		}
		s.children = append(s.children, n)
	}
	if len(s.children) == 1 {
		return s.children[0], nil
	}
	return s, nil
}

// atom parses one thing that a repeat may follow; literal is the character it stands for, 0 if it is no literal.
func (p *parser) atom(o options) (n *node, literal rune, err error) {
	switch {
	case p.has("("):
		n, err = p.group(o)
		return n, 0, err
	case p.has("["):
		ranges, err := p.brackets(o)
		return &node{kind: kindSet, set: newSet(ranges)}, 0, err
	case p.take("."):
		return &node{kind: kindSet, set: newSet(dot(o))}, 0, nil
	case p.take("^"):
		return &node{kind: kindAnchor, anchor: lineStart}, 0, nil
	case p.take("$"):
		return &node{kind: kindAnchor, anchor: lineEnd}, 0, nil
	case p.has(`\`):
		return p.escape(o)
	case p.has("*"), p.has("+"), p.has("?"):
		return nil, 0, p.refuse("nothing before the repeat")
	}
	r := p.next()
	ranges, err := p.literal(r, o)
	return &node{kind: kindSet, set: newSet(ranges)}, r, err
}

func dot(o options) []rune {
	if o.dotAll {
		return []rune{0, utf8.MaxRune}
	}
	return complement([]rune{'\n', '\n'})
}

func (p *parser) escape(o options) (*node, rune, error) {
	for text, a := range map[string]anchor{`\A`: textStart, `\z`: textEnd, `\Z`: lastLineEnd, `\b`: wordEdge, `\B`: noWordEdge} {
		if p.take(text) {
			return &node{kind: kindAnchor, anchor: a}, 0, nil
		}
	}
	ranges, literal, err := p.escaped(o, "%s")
	if err != nil {
		return nil, 0, err
	}
	if literal >= 0 {
		ranges, err = p.literal(literal, o)
	}
	return &node{kind: kindSet, set: newSet(ranges)}, max(literal, 0), err
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
func (p *parser) escaped(o options, context string) (ranges []rune, literal rune, err error) {
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
		ranges, err = p.property(r == 'P', o)
		return ranges, -1, err
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
	case 'x', 'u':
		literal, err = p.hex(r)
		return nil, literal, err
	}
	if r >= utf8.RuneSelf || !isWordByte(byte(r)) {
		return nil, r, nil
	}
	p.at = from
	return nil, 0, p.refuse(`\%c is not supported`, r)
}

func isWordByte(b byte) bool {
	return b >= '0' && b <= '9' || asciiLetter(b) || b == '_'
}

// hex parses the digits of \xHH, \x{H…} and \uHHHH.
func (p *parser) hex(letter rune) (rune, error) {
	digits, braced := "", false
	switch rest := p.pattern[p.at:]; {
	case letter == 'x' && strings.HasPrefix(rest, "{"):
		inner, _, ok := strings.Cut(rest[1:], "}")
		if !ok {
			return 0, p.refuse(`\x{ has no end`)
		}
		digits, braced = inner, true
		p.at += len(inner) + 2
	case letter == 'u' && len(rest) >= 4:
		digits = rest[:4]
		p.at += 4
	case letter == 'x' && len(rest) >= 2:
		digits = rest[:2]
		p.at += 2
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	switch {
	case err != nil:
		return 0, p.refuse(`\%c wants hexadecimal digits`, letter)
	case !utf8.ValidRune(rune(n)) || n > utf8.MaxRune:
		return 0, p.refuse(`\%c%s is no character`, letter, digits)
	case letter == 'x' && !braced && n >= utf8.RuneSelf:
		return 0, p.refuse(`\x%s would be a single byte of UTF-8, which is not supported`, digits)
	}
	return rune(n), nil
}

func (p *parser) property(negated bool, o options) ([]rune, error) {
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
	if o.fold {
		return nil, p.refuse(`\p{%s} in any case is not supported`, inner)
	}
	p.at += len(name) + 1
	if negated {
		ranges = complement(ranges)
	}
	return ranges, nil
}
