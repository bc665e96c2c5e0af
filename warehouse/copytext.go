package warehouse

import (
	"strconv"
	"time"
)

// copyText is COPY's text form, which a script can hold: fields by tabs, rows by newlines.
type copyText struct {
	b    []byte
	left int // fields of the row
}

func (c *copyText) row(columns int) { c.left = columns }

// done ends a field.
func (c *copyText) done() {
	c.left--
	if c.left == 0 {
		c.b = append(c.b, '\n')
	} else {
		c.b = append(c.b, '\t')
	}
}

func (c *copyText) null() {
	c.b = append(c.b, `\N`...)
	c.done()
}

func (c *copyText) text(s string) {
	s = withoutZero(s)
	for i := range len(s) {
		switch s[i] {
		case '\\':
			c.b = append(c.b, `\\`...)
		case '\t':
			c.b = append(c.b, `\t`...)
		case '\n':
			c.b = append(c.b, `\n`...)
		case '\r':
			c.b = append(c.b, `\r`...)
		default:
			c.b = append(c.b, s[i])
		}
	}
	c.done()
}

func (c *copyText) json(s []byte) { c.text(string(s)) }

func (c *copyText) integer(v int64, _ int) {
	c.b = strconv.AppendInt(c.b, v, 10)
	c.done()
}

func (c *copyText) float(v float64) {
	c.b = strconv.AppendFloat(c.b, v, 'g', -1, 64)
	c.done()
}

func (c *copyText) boolean(v bool) {
	c.b = strconv.AppendBool(c.b, v)
	c.done()
}

func (c *copyText) time(t time.Time) {
	c.b = t.UTC().AppendFormat(c.b, "2006-01-02 15:04:05.999999+00")
	c.done()
}

func (c *copyText) integers(v []int32) {
	c.b = append(c.b, '{')
	for i, x := range v {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = strconv.AppendInt(c.b, int64(x), 10)
	}
	c.b = append(c.b, '}')
	c.done()
}

func (c *copyText) floats(v []float32) { c.list(v, '{', '}') }
func (c *copyText) vector(v []float32) { c.list(v, '[', ']') }

func (c *copyText) list(v []float32, open, end byte) {
	c.b = append(c.b, open)
	for i, x := range v {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = strconv.AppendFloat(c.b, float64(x), 'g', -1, 32)
	}
	c.b = append(c.b, end)
	c.done()
}

func (c *copyText) end() []byte { return c.taken() }

func (c *copyText) taken() []byte {
	b := c.b
	c.b = c.b[:0]
	return b
}
