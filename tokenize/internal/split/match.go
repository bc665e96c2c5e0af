package split

import (
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

// state is a place in the program at a place in the text.
type state struct {
	pc, at int
	depth  int // how many states led here: they are still open while this one is tried
	keep   int // where the match is said to begin
}

// matcher finds matches in one text. It begins without memory; when it has taken more steps than a plain search
// should, it starts over and from then on remembers every state that failed, so that none is tried twice.
type matcher struct {
	program *program
	s       string
	from    int // where the search began
	keep    int // where the match is said to begin
	segment segmenter
	steps   int
	failed  []uint64 // a bit for each state, nil at first
	stack   []state
	path    []state
}

const stepsPerByte = 64

// search finds the first match that begins at or after from.
func (m *matcher) search(from int) (Range, bool) {
	m.from = from
	if m.program.fromSearch {
		clear(m.failed)
	}
	for start := from; start <= len(m.s); start += charSize(m.s, start) {
		m.keep = start
		end, ok := m.run(m.program.start, start)
		if !ok { // out of steps
			m.failed = make([]uint64, (len(m.program.code)*(len(m.s)+1)+63)/64)
			m.keep = start
			end, _ = m.run(m.program.start, start)
		}
		if end >= 0 {
			return Range{m.keep, end}, true
		}
	}
	return Range{}, false
}

// run returns where the match ends that starts with pc at at, −1 when there is none. It is not ok when the steps ran
// out, which they cannot once failures are remembered. Bodies of look-around and atomic groups run by themselves.
func (m *matcher) run(pc, at int) (end int, ok bool) {
	base, path := len(m.stack), len(m.path)
	m.stack = append(m.stack, state{pc, at, path, m.keep})
	for len(m.stack) > base {
		top := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		m.path = m.path[:top.depth]
		m.keep = top.keep
		end, ok = m.follow(top.pc, top.at)
		if !ok || end >= 0 {
			m.forget(path)
			m.stack = m.stack[:base]
			return end, ok
		}
	}
	m.path = m.path[:path]
	return -1, true
}

// forget takes back the marks of the states that led to a match: they did not fail.
func (m *matcher) forget(from int) {
	for _, s := range m.path[from:] {
		bit := s.pc*(len(m.s)+1) + s.at
		m.failed[bit/64] &^= 1 << (bit % 64)
	}
	m.path = m.path[:from]
}

// seen marks a state and tells whether it had been tried.
func (m *matcher) seen(pc, at int) bool {
	if m.failed == nil {
		return false
	}
	bit := pc*(len(m.s)+1) + at
	if m.failed[bit/64]>>(bit%64)&1 != 0 {
		return true
	}
	m.failed[bit/64] |= 1 << (bit % 64)
	m.path = append(m.path, state{pc: pc, at: at})
	return false
}

// follow goes on from a state until it matches or fails, and leaves alternatives on the stack.
func (m *matcher) follow(pc, at int) (end int, ok bool) {
	for {
		if m.failed == nil {
			if m.steps++; m.steps > stepsPerByte*(len(m.s)+64) {
				return -1, false
			}
		}
		i := &m.program.code[pc]
		if i.op == opMatch {
			return at, true
		}
		if m.seen(pc, at) {
			return -1, true
		}
		switch i.op {
		case opSet:
			r, size := utf8.DecodeRuneInString(m.s[at:])
			if size == 0 || !i.set.has(r) {
				return -1, true
			}
			at += size
			pc = i.x
		case opBack:
			r, size := utf8.DecodeLastRuneInString(m.s[:at])
			if size == 0 || !i.set.has(r) {
				return -1, true
			}
			at -= size
			pc = i.x
		case opGrapheme:
			if at == len(m.s) {
				return -1, true
			}
			at = m.segment.end(m.s, at)
			pc = i.x
		case opKeep:
			m.keep = at
			pc = i.x
		case opSplit:
			m.stack = append(m.stack, state{i.y, at, len(m.path), m.keep})
			pc = i.x
		case opAnchor:
			if !m.holds(i.anchor, at) {
				return -1, true
			}
			pc = i.x
		case opAtomic:
			begun := at
			if at, ok = m.run(i.x, at); !ok || at < 0 {
				return -1, ok
			}
			if pc = i.y; at == begun {
				pc = i.empty
			}
		case opLook:
			found, ok := m.look(i, at)
			if !ok || found == i.negated {
				return -1, ok
			}
			pc = i.y
		}
	}
}

func (m *matcher) look(i *instruction, at int) (found, ok bool) {
	from, keep := at, m.keep
	defer func() { m.keep = keep }()
	for range max(i.behind, 0) {
		if from == 0 {
			return false, true
		}
		_, size := utf8.DecodeLastRuneInString(m.s[:from])
		from -= size
	}
	end, ok := m.run(i.x, from)
	return end >= 0, ok
}

func (m *matcher) holds(a anchor, at int) bool {
	s := m.s
	afterNewline := at > 0 && s[at-1] == '\n'
	switch a {
	case textStart:
		return at == 0
	case textEnd:
		return at == len(s)
	case lastLineEnd:
		return at == len(s) || at == len(s)-1 && s[at] == '\n'
	case lineStart:
		return at == 0 || afterNewline && at < len(s)
	case lineEnd:
		return at == len(s) || s[at] == '\n'
	case searchStart:
		return at == m.from
	case segmentEdge, noSegmentEdge:
		return m.segment.breaks(s, at) == (a == segmentEdge)
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	edge := (at > 0 && ucd.Is(before, ucd.Word)) != (at < len(s) && ucd.Is(after, ucd.Word))
	return edge == (a == wordEdge)
}
