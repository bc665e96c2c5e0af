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
)

type opcode uint8

const (
	opMatch  opcode = iota
	opSet           // one character of set
	opSplit         // try x, then y
	opJump          // go to x
	opAnchor        // zero width
	opLook          // x: body; on to y
	opAtomic        // x: body, whose match is final; on to y
)

type instruction struct {
	op      opcode
	negated bool
	anchor  anchor
	behind  int // opLook: characters to step back, −1 for look-ahead
	x, y    int
	set     *set
}

// maxInstructions bounds a match's memory, too, which is at worst a bit for each instruction and byte of the text.
const maxInstructions = 4000

type program struct {
	code  []instruction
	start int
}

type compiler struct{ code []instruction }

func compile(pattern string) (*program, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	c := &compiler{code: []instruction{{op: opMatch}}}
	start := c.emit(n, 0)
	if start < 0 || len(c.code) > maxInstructions {
		return nil, fmt.Errorf("pattern %q is too large once its intervals are unrolled", pattern)
	}
	return &program{c.code, start}, nil
}

func (c *compiler) add(i instruction) int {
	c.code = append(c.code, i)
	return len(c.code) - 1
}

// emit compiles n, which goes on to next, and returns where it starts; −1 when the program grows too large.
func (c *compiler) emit(n *node, next int) int {
	if next < 0 || len(c.code) > maxInstructions {
		return -1
	}
	switch n.kind {
	case kindSet:
		return c.add(instruction{op: opSet, set: n.set, x: next})
	case kindSequence:
		for i := len(n.children) - 1; i >= 0; i-- {
			next = c.emit(n.children[i], next)
		}
		return next
	case kindChoice:
		at := c.emit(n.children[len(n.children)-1], next)
		for i := len(n.children) - 2; i >= 0 && at >= 0; i-- {
			at = c.add(instruction{op: opSplit, x: c.emit(n.children[i], next), y: at})
			if c.code[at].x < 0 {
				return -1
			}
		}
		return at
	case kindRepeat:
		return c.repeat(n, next)
	case kindAnchor:
		return c.add(instruction{op: opAnchor, anchor: n.anchor, x: next})
	case kindAtomic, kindLook:
		i := instruction{op: opAtomic, x: c.emit(n.children[0], 0), y: next, negated: n.negated, behind: -1}
		if n.kind == kindLook {
			i.op = opLook
			if n.behind {
				i.behind = n.characters
			}
		}
		if i.x < 0 {
			return -1
		}
		return c.add(i)
	}
	return next
}

func (c *compiler) repeat(n *node, next int) int {
	body := n.children[0]
	at := next
	if n.max < 0 {
		loop := c.add(instruction{op: opSplit})
		inner := c.emit(body, loop)
		if inner < 0 {
			return -1
		}
		c.code[loop].x, c.code[loop].y = inner, next
		if n.lazy {
			c.code[loop].x, c.code[loop].y = next, inner
		}
		at = loop
	}
	for range n.max - n.min {
		inner := c.emit(body, at)
		if inner < 0 {
			return -1
		}
		i := instruction{op: opSplit, x: inner, y: next}
		if n.lazy {
			i.x, i.y = next, inner
		}
		at = c.add(i)
	}
	for range n.min {
		at = c.emit(body, at)
	}
	return at
}
