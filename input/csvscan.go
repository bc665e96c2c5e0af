package input

const (
	fieldStart = iota
	unquoted
	quoted
	quoteInQuoted // a quote inside a quoted field: its end, or the first of two
)

// csvScan is the state of one record that has quotes or is over-long.
type csvScan struct {
	*csvSource
	state int
	stray bool // text follows a closing quote
}

// take reads one piece of a physical line and says whether the record ended with it.
func (c *csvScan) take(piece []byte, more bool) (done bool) {
	for i, b := range piece {
		if b == '\r' && c.state != quoted && !more && i == len(piece)-1 {
			break // of a CRLF
		}
		switch c.state {
		case fieldStart, unquoted:
			switch {
			case b == c.comma:
				c.endField()
			case b == '"' && c.state == fieldStart:
				c.state = quoted
			default:
				c.state = unquoted
				c.put(b)
			}
		case quoted:
			if b == '"' {
				c.state = quoteInQuoted
			} else {
				c.put(b)
			}
		case quoteInQuoted:
			switch b {
			case '"':
				c.state = quoted
				c.put(b)
			case c.comma:
				c.endField()
			default:
				c.stray = true
				c.state = unquoted
				c.put(b)
			}
		}
	}
	if more {
		return false
	}
	if c.state == quoted {
		c.put('\n')
		c.size++
		return false
	}
	c.endField()
	return true
}

func (c *csvScan) endField() {
	c.ends = append(c.ends, len(c.buf))
	c.state = fieldStart
}

// put keeps a byte while the record is within bounds; the id's column is kept a little beyond, so that the
// error row of an over-long record still says which it was.
func (c *csvScan) put(b byte) {
	at := len(c.ends)
	start := 0
	if at > 0 {
		start = c.ends[at-1]
	}
	if len(c.buf) < c.max || (at == c.layout.id && len(c.buf)-start < longestKeptID) {
		c.buf = append(c.buf, b)
	}
}
