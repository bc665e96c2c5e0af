package split

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
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
	kindGrapheme
	kindKeep
)

// node is a piece of a pattern. Groups leave no node: nothing here asks what they captured.
type node struct {
	kind     kind
	set      *set
	children []*node

	letters    string // what a plain string of letters is in lower case, for folds of two letters
	min, max   int    // kindRepeat; max −1 is without end
	lazy       bool
	any        bool   // kindSet: any character
	negated    bool   // kindLook
	behind     bool   // kindLook
	anchor     anchor // kindAnchor
	characters int    // kindLook behind: how many its body takes; −1: it varies, and the body is met from its end
}

type parser struct {
	pattern string
	at      int
	depth   int
	inside  int // how many look-around and atomic groups are open
	behind  behind
}

// options are what (?i), (?m) and (?x) switch.
type options struct{ fold, dotAll, extended bool }

const (
	maxDepth  = 100  // of nested groups and brackets
	maxRepeat = 1000 // as a count of a repeat
)

// behind is the look-behind that is open, if any: Oniguruma has its own idea of what may stand in one.
type behind int

const (
	notBehind behind = iota
	positiveBehind
	negativeBehind
)

// refuse says what cannot be honoured and where.
func (p *parser) refuse(format string, args ...any) error {
	return fmt.Errorf("pattern %q, character %d: %s", p.pattern, utf8.RuneCountInString(p.pattern[:p.at])+1,
		fmt.Sprintf(format, args...))
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
	if anyAfterAssertion(n, false) {
		p.at = 0
		return nil, p.refuse("an assertion and then .* under (?m) at the start is not supported")
	}
	if p.more() {
		return nil, p.refuse("unmatched ')'")
	}
	return n, nil
}

// anyAfterAssertion tells whether a pattern begins with an assertion and then as many of any character as there are:
// Oniguruma takes that for a pattern that can match only where the search begins.
func anyAfterAssertion(n *node, asserted bool) bool {
	switch n.kind {
	case kindRepeat:
		for unbounded := n.max < 0; n.kind == kindRepeat; n = n.children[0] {
			if asserted && unbounded && n.children[0].any {
				return true
			}
		}
		return anyAfterAssertion(n, asserted)
	case kindChoice:
		return slices.ContainsFunc(n.children, func(c *node) bool { return anyAfterAssertion(c, asserted) })
	case kindAtomic:
		return anyAfterAssertion(n.children[0], asserted)
	case kindSequence:
		for _, c := range n.children {
			if anyAfterAssertion(c, asserted) {
				return true
			}
			if !asserts(c) {
				return false
			}
			asserted = true
		}
	}
	return false
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
	var folded string // the letters just read, for folds of two letters
	plain := true
	for p.skip(o); p.more() && !p.has("|") && !p.has(")"); p.skip(o) {
		from := p.at
		n, err := p.atom(o)
		if err != nil {
			return nil, err
		}
		if o.fold {
			if folded += n.letters; foldsTogether(folded) {
				p.at = from
				return nil, p.refuse("%q matched in any case is also one ligature or letter, which is not supported", folded)
			}
			folded = folded[max(0, len(folded)-1):]
			if n.letters == "" {
				folded = ""
			}
		}
		atom := n
		if n, err = p.repeats(n, o); err != nil {
			return nil, err
		}
		if n != atom || n.letters == "" {
			plain = false
		} else {
			s.letters += n.letters
		}
		s.children = append(s.children, n)
	}
	if !plain {
		s.letters = ""
	}
	if len(s.children) == 1 {
		return s.children[0], nil
	}
	return s, nil
}

// skip steps over comments, and with (?x) over white space.
func (p *parser) skip(o options) {
	for p.more() {
		switch c := p.pattern[p.at]; {
		case p.has("(?#"):
			end := p.at + 3
			for end < len(p.pattern) && p.pattern[end] != ')' {
				if p.pattern[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(p.pattern) {
				return // group says that it has no end
			}
			p.at = end + 1
		case o.extended && strings.IndexByte(" \t\n\r\f", c) >= 0:
			p.at++
		case o.extended && c == '#':
			_, rest, _ := strings.Cut(p.pattern[p.at:], "\n")
			p.at = len(p.pattern) - len(rest)
		default:
			return
		}
	}
}

// atom parses one thing that a repeat may follow.
func (p *parser) atom(o options) (*node, error) {
	switch {
	case p.has("("):
		return p.group(o)
	case p.has("["):
		ranges, err := p.brackets(o)
		return setNode(ranges), err
	case p.take("."):
		n := setNode(dot(o))
		n.any = o.dotAll
		return n, nil
	case p.take("^"):
		return &node{kind: kindAnchor, anchor: lineStart}, nil
	case p.take("$"):
		return &node{kind: kindAnchor, anchor: lineEnd}, nil
	case p.has(`\`):
		return p.escape(o)
	case p.has("*"), p.has("+"), p.has("?"):
		return nil, p.refuse("nothing before the repeat")
	case p.has("{"):
		if ok, err := p.interval(&node{}); ok || err != nil {
			return nil, p.refuse("nothing before the repeat")
		}
	}
	return p.literal(p.next(), o)
}

func setNode(ranges []rune) *node { return &node{kind: kindSet, set: newSet(ranges)} }

func dot(o options) []rune {
	if o.dotAll {
		return []rune{0, utf8.MaxRune}
	}
	return complement([]rune{'\n', '\n'})
}
