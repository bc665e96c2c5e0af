package split

import (
	"strconv"
	"strings"
)

// group parses everything that begins with a parenthesis.
func (p *parser) group(o options) (*node, error) {
	start := p.at
	p.at++
	n := &node{}
	switch {
	case p.take("?:"):
	case p.take("?="):
		n.kind = kindLook
	case p.take("?!"):
		n.kind, n.negated = kindLook, true
	case p.take("?<="):
		n.kind, n.behind = kindLook, true
	case p.take("?<!"):
		n.kind, n.behind, n.negated = kindLook, true, true
	case p.take("?>"):
		n.kind = kindAtomic
	case p.has("?<"), p.has("?'"):
		if err := p.groupName(); err != nil {
			return nil, err
		}
	case p.has("?"):
		return p.optionGroup(o)
	case p.has("*"):
		return nil, p.refuse("callouts and backtracking verbs are not supported")
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
		return &node{kind: kindSequence, children: []*node{body}}, nil
	}
	n.children = []*node{body}
	if n.behind {
		length, ok := fixedLength(body)
		if !ok {
			p.at = start
			return nil, p.refuse("look-behind of varying length is not supported")
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

// optionGroup parses (?i:…), (?-m:…) and the like, and (?i) where nothing but the whole rest of its group is meant.
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
		case ':':
			body, err := p.choice(o)
			if err == nil && !p.take(")") {
				err = p.refuse("group has no end")
			}
			return body, err
		case ')':
			if start != 1 {
				p.at = start
				return nil, p.refuse("options are supported at the start of the pattern and as (?i:…) only")
			}
			return p.choice(o)
		default:
			p.at = start
			return nil, p.refuse("group (%.3s is not supported", p.pattern[start:])
		}
	}
	return nil, p.refuse("group has no end")
}

// repeats parses what follows an atom: * + ? {n,m}, lazy or possessive.
func (p *parser) repeats(n *node) (*node, error) {
	for p.more() {
		at := p.at
		r := &node{kind: kindRepeat, max: -1, children: []*node{n}}
		interval := false
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
			interval = true
		default:
			return n, nil
		}
		if err := p.repeatable(n, r, at); err != nil {
			return nil, err
		}
		switch {
		case interval && (p.has("?") || p.has("+")):
			return nil, p.refuse("an interval followed by '?' or '+' is not supported")
		case p.take("?"):
			r.lazy = true
		case p.take("+"):
			r = &node{kind: kindAtomic, children: []*node{r}}
		}
		n = r
	}
	return n, nil
}

func (p *parser) repeatable(n, r *node, at int) error {
	switch {
	case n.kind == kindAnchor || n.kind == kindLook:
		p.at = at
		return p.refuse("an assertion cannot be repeated")
	case n.kind == kindRepeat:
		p.at = at
		return p.refuse("a repeat of a repeat is not supported; put a group around the inner one")
	case r.max != 1 && canBeEmpty(n):
		p.at = at
		return p.refuse("a repeat of something that can match nothing is not supported")
	}
	return nil
}

// interval parses {n}, {n,}, {,m} and {n,m}; a brace that is none of them is a literal.
func (p *parser) interval(r *node) (bool, error) {
	inner, _, ok := strings.Cut(p.pattern[p.at+1:], "}")
	low, high, ranged := strings.Cut(inner, ",")
	if !ok || low == "" && high == "" || strings.Trim(low+high, "0123456789") != "" {
		return false, p.refuse("a brace that is no interval must be escaped")
	}
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
		return false, p.refuse("interval {%s} is not supported", inner)
	}
	p.at += len(inner) + 2
	return true, nil
}

func canBeEmpty(n *node) bool {
	switch n.kind {
	case kindSet:
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
	case kindAnchor, kindLook:
		return 0, n.kind == kindAnchor
	}
	return 0, true
}
