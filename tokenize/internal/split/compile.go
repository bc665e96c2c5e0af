package split

import "fmt"

type anchor int

const (
	textStart anchor = iota
	textEnd
	lastLineEnd
	lineStart
	lineEnd
	wordEdge
	noWordEdge
	searchStart
	segmentEdge
	noSegmentEdge
)

type opcode uint8

const (
	opMatch    opcode = iota
	opSet             // one character of set
	opBack            // the same, backwards
	opGrapheme        // one extended grapheme cluster
	opKeep            // the match begins here
	opSplit           // try x, then y
	opAnchor          // zero width
	opLook            // x: body; on to y
	opAtomic          // x: body, whose match is final; on to y, or to empty if it took nothing
)

type instruction struct {
	op      opcode
	negated bool
	anchor  anchor
	behind  int // opLook: characters to step back, −1 for none
	x, y    int
	empty   int
	set     *set
}

// maxInstructions bounds a match's memory, too, which is at worst a bit for each instruction and byte of the text.
const maxInstructions = 4000

type program struct {
	code       []instruction
	start      int
	fromSearch bool // what fails at a place may depend on where the search began
}

type compiler struct {
	code     []instruction
	backward bool // sets are met from their end
}

func compile(pattern string) (*program, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	c := &compiler{code: []instruction{{op: opMatch}}}
	start := c.emit(n, to(0))
	if start < 0 || len(c.code) > maxInstructions {
		return nil, fmt.Errorf("pattern %q is too large once its intervals are unrolled", pattern)
	}
	p := &program{code: c.code, start: start}
	for _, i := range c.code {
		p.fromSearch = p.fromSearch || i.op == opAnchor && i.anchor == searchStart
	}
	return p, nil
}

func (c *compiler) add(i instruction) int {
	c.code = append(c.code, i)
	return len(c.code) - 1
}

// next is where a node goes on to: taken where something was taken since its loop's turn began, else empty. A turn
// that took nothing ends the loop, so what a loop's body goes on to depends on that. Both are the same outside of
// loops whose body may take nothing.
type next struct{ taken, empty int }

func to(pc int) next { return next{pc, pc} }

// emit compiles n, which goes on to k, for when nothing was taken yet, and returns where it starts; −1 when the
// program grows too large.
func (c *compiler) emit(n *node, k next) int {
	if k.taken < 0 || k.empty < 0 || len(c.code) > maxInstructions {
		return -1
	}
	switch n.kind {
	case kindSet:
		op := opSet
		if c.backward {
			op = opBack
		}
		return c.add(instruction{op: op, set: n.set, x: k.taken})
	case kindGrapheme:
		return c.add(instruction{op: opGrapheme, x: k.taken})
	case kindKeep:
		return c.add(instruction{op: opKeep, x: k.empty})
	case kindSequence:
		return c.sequence(n.children, k)
	case kindChoice:
		at := c.emit(n.children[len(n.children)-1], k)
		for i := len(n.children) - 2; i >= 0 && at >= 0; i-- {
			at = c.split(false, c.emit(n.children[i], k), at)
		}
		return at
	case kindRepeat:
		return c.repeat(n, k)
	case kindAnchor:
		return c.add(instruction{op: opAnchor, anchor: n.anchor, x: k.empty})
	case kindAtomic:
		return c.add(instruction{op: opAtomic, x: c.emit(n.children[0], to(0)), y: k.taken, empty: k.empty})
	case kindLook:
		return c.look(n, k)
	}
	return k.empty
}

func (c *compiler) look(n *node, k next) int {
	i := instruction{op: opLook, y: k.empty, negated: n.negated, behind: -1}
	before := c.backward
	c.backward = n.behind && n.characters < 0
	if n.behind && !c.backward {
		i.behind = n.characters
	}
	i.x = c.emit(n.children[0], to(0))
	c.backward = before
	if i.x < 0 {
		return -1
	}
	return c.add(i)
}

// sequence compiles what follows each other, the last first.
func (c *compiler) sequence(nodes []*node, k next) int {
	for i := range nodes {
		n := nodes[len(nodes)-1-i]
		if c.backward {
			n = nodes[i]
		}
		before := next{k.taken, c.emit(n, k)}
		if k.taken == k.empty {
			before.taken = before.empty
		} else if i < len(nodes)-1 {
			before.taken = c.emit(n, to(k.taken))
		}
		k = before
	}
	return k.empty
}

// split tries first and then second, or the other way round.
func (c *compiler) split(lazy bool, first, second int) int {
	if first < 0 || second < 0 {
		return -1
	}
	if lazy {
		first, second = second, first
	}
	return c.add(instruction{op: opSplit, x: first, y: second})
}

func (c *compiler) repeat(n *node, k next) int {
	body := n.children[0]
	at := k
	if n.max < 0 {
		loop := c.loop(body, n.lazy, k.taken)
		at = next{loop, loop}
		if k.taken != k.empty {
			at.empty = c.split(n.lazy, c.emit(body, next{loop, k.empty}), k.empty)
		}
	}
	for range n.max - n.min {
		inner := c.split(n.lazy, c.emit(body, at), k.empty)
		if k.taken == k.empty {
			at = to(inner)
		} else {
			at = next{c.split(n.lazy, c.emit(body, to(at.taken)), k.taken), inner}
		}
		if at.empty < 0 || at.taken < 0 {
			return -1
		}
	}
	for range n.min {
		inner := c.emit(body, at)
		if k.taken == k.empty {
			at = to(inner)
		} else {
			at = next{c.emit(body, to(at.taken)), inner}
		}
		if at.empty < 0 || at.taken < 0 {
			return -1
		}
	}
	return at.empty
}

// loop compiles body as often as it takes something, and then on to out.
func (c *compiler) loop(body *node, lazy bool, out int) int {
	if out < 0 {
		return -1
	}
	loop := c.add(instruction{op: opSplit})
	again := to(loop)
	if canBeEmpty(body) {
		again.empty = out
	}
	inner := c.emit(body, again)
	if inner < 0 {
		return -1
	}
	c.code[loop].x, c.code[loop].y = inner, out
	if lazy {
		c.code[loop].x, c.code[loop].y = out, inner
	}
	return loop
}
