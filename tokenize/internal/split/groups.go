package split

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// group parses everything that begins with a parenthesis.
func (p *parser) group(o options) (*node, error) {
	start := p.at
	p.at++
	n := &node{}
	outer := p.behind
	defer func() { p.behind = outer }()
	switch {
	case p.take("?:"):
		body, err := p.choice(o)
		if err == nil && !p.take(")") {
			p.at = start
			err = p.refuse("group has no end")
		}
		return body, err
	case p.behind != notBehind && (p.has("?=") || p.has("?!")):
		return nil, p.refuse("look-ahead in look-behind")
	case p.behind == positiveBehind && p.has("?<!"):
		return nil, p.refuse("negative look-behind in positive")
	case p.take("?="):
		n.kind = kindLook
	case p.take("?!"):
		n.kind, n.negated = kindLook, true
	case p.take("?<="):
		n.kind, n.behind, p.behind = kindLook, true, positiveBehind
	case p.take("?<!"):
		n.kind, n.behind, n.negated, p.behind = kindLook, true, true, negativeBehind
	case p.take("?>"):
		n.kind = kindAtomic
	case p.has("?#"):
		return nil, p.refuse("comment has no end")
	case p.has("?~"):
		return nil, p.refuse("absence operators are not supported")
	case p.has("?("):
		return nil, p.refuse("conditions are not supported")
	case p.has("?{"):
		return nil, p.refuse("callouts are not supported")
	case p.has("?<"), p.has("?'"):
		if err := p.groupName(); err != nil {
			return nil, err
		}
	case p.has("?"):
		return p.optionGroup(o)
	case p.has("*"):
		return nil, p.refuse("callouts and backtracking verbs are not supported")
	}
	if n.kind == kindEmpty && outer == negativeBehind {
		p.at = start
		return nil, p.refuse("group that captures in negative look-behind")
	}
	if n.kind != kindEmpty {
		p.inside++
		defer func() { p.inside-- }()
	}
	body, err := p.choice(o)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		p.at = start
		return nil, p.refuse("group has no end")
	}
	if n.kind == kindEmpty {
		return &node{kind: kindSequence, children: []*node{body}, letters: body.letters}, nil
	}
	n.children = []*node{body}
	if n.behind {
		length, ok := fixedLength(body)
		if !ok {
			length = -1
		}
		if !ok && !reversible(body) {
			p.at = start
			return nil, p.refuse("look-behind of varying length with an atomic group, a possessive repeat, \\R or \\X in it is not supported")
		}
		n.characters = length
	}
	return n, nil
}

func (p *parser) groupName() error {
	end := byte('>')
	if p.has("?'") {
		end = '\''
	}
	name, _, ok := strings.Cut(p.pattern[p.at+2:], string(end))
	if !ok || name == "" {
		return p.refuse("group name has no end")
	}
	p.at += 2 + len(name) + 1
	return nil
}

// optionGroup parses (?i:…), (?-m:…) and the like, and (?i), which is for all of its group that follows, further
// alternatives among it.
func (p *parser) optionGroup(o options) (*node, error) {
	start := p.at
	p.at++
	on := true
	for p.more() {
		switch p.next() {
		case '-':
			on = false
		case 'i':
			o.fold = on
		case 'm':
			o.dotAll = on
		case 'x':
			o.extended = on
		case ':':
			body, err := p.choice(o)
			if err == nil && !p.take(")") {
				err = p.refuse("group has no end")
			}
			if err != nil {
				return nil, err
			}
			return &node{kind: kindSequence, children: []*node{body}, letters: body.letters}, nil
		case ')':
			body, err := p.choice(o)
			if err != nil {
				return nil, err
			}
			return &node{kind: kindSequence, children: []*node{body}}, nil
		default:
			p.at = start
			return nil, p.refuse("group (%.3s is not supported", p.pattern[start:])
		}
	}
	return nil, p.refuse("group has no end")
}

// repeats parses what follows an atom: * + ? {n,m}, lazy or possessive.
func (p *parser) repeats(n *node, o options) (*node, error) {
	for p.skip(o); p.more(); p.skip(o) {
		at := p.at
		r := &node{kind: kindRepeat, max: -1, children: []*node{n}}
		fixed, interval := false, false
		switch {
		case p.take("*"):
		case p.take("+"):
			r.min = 1
		case p.take("?"):
			r.max = 1
		case p.has("{"):
			ok, err := p.interval(r)
			if err != nil || !ok {
				return n, err
			}
			interval, fixed = true, r.min == r.max
		default:
			return n, nil
		}
		if asserts(n) {
			p.at = at
			return nil, p.refuse("an assertion cannot be repeated")
		}
		switch {
		case !fixed && p.take("?"): // behind a fixed count it is one more repeat: there is nothing to choose
			r.lazy = true
		case !interval && p.take("+"): // behind an interval it is one more repeat
			if holdsKeep(n) {
				return nil, p.refuse(`\K in a possessive repeat is not supported`)
			}
			r = &node{kind: kindAtomic, children: []*node{r}}
		}
		n = r
	}
	return n, nil
}

// asserts tells whether n, or an alternative of it, is nothing but an assertion.
func asserts(n *node) bool {
	switch n.kind {
	case kindAnchor, kindLook, kindKeep:
		return true
	case kindChoice:
		return slices.ContainsFunc(n.children, asserts)
	}
	return false
}

func holdsKeep(n *node) bool {
	return n.kind == kindKeep || slices.ContainsFunc(n.children, holdsKeep)
}

// reversible tells whether a match of n can be looked for from its end.
func reversible(n *node) bool {
	switch n.kind {
	case kindAtomic, kindGrapheme:
		return false
	case kindLook: // it is met in its own direction
		return true
	}
	return !slices.ContainsFunc(n.children, func(c *node) bool { return !reversible(c) })
}

var intervalForm = regexp.MustCompile(`^\{([0-9]*)(,?)([0-9]*)\}`)

// interval parses {n}, {n,}, {,m} and {n,m}; a brace that begins none of them is a literal.
func (p *parser) interval(r *node) (bool, error) {
	parts := intervalForm.FindStringSubmatch(p.pattern[p.at:])
	if parts == nil || parts[1] == "" && parts[3] == "" {
		return false, nil
	}
	low, ranged, high := parts[1], parts[2] != "", parts[3]
	var err error
	if low != "" {
		r.min, err = strconv.Atoi(low)
	}
	if err == nil && high != "" {
		r.max, err = strconv.Atoi(high)
	}
	if !ranged {
		r.max = r.min
	}
	if err != nil || r.min > maxRepeat || r.max > maxRepeat || r.max >= 0 && r.max < r.min {
		return false, p.refuse("interval %s is not supported", parts[0])
	}
	p.at += len(parts[0])
	return true, nil
}

func canBeEmpty(n *node) bool {
	switch n.kind {
	case kindSet, kindGrapheme:
		return false
	case kindSequence:
		for _, c := range n.children {
			if !canBeEmpty(c) {
				return false
			}
		}
		return true
	case kindChoice:
		for _, c := range n.children {
			if canBeEmpty(c) {
				return true
			}
		}
		return false
	case kindRepeat:
		return n.min == 0 || canBeEmpty(n.children[0])
	case kindAtomic:
		return canBeEmpty(n.children[0])
	}
	return true
}

// fixedLength counts the characters that n takes, if it always takes as many.
func fixedLength(n *node) (int, bool) {
	switch n.kind {
	case kindSet:
		return 1, true
	case kindSequence:
		sum := 0
		for _, c := range n.children {
			l, ok := fixedLength(c)
			if !ok {
				return 0, false
			}
			sum += l
		}
		return sum, true
	case kindChoice:
		first, ok := fixedLength(n.children[0])
		for _, c := range n.children[1:] {
			l, same := fixedLength(c)
			ok = ok && same && l == first
		}
		return first, ok
	case kindRepeat:
		l, ok := fixedLength(n.children[0])
		return l * n.min, ok && n.min == n.max
	case kindAtomic:
		return fixedLength(n.children[0])
	case kindAnchor:
		return 0, true
	case kindLook, kindGrapheme:
		return 0, false
	}
	return 0, true
}
