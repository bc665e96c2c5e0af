package warehouse

import (
	"encoding/binary"
	"math"
	"time"
)

// copyBinary is COPY's binary form, of PostgreSQL's own types and pgvector's.
type copyBinary struct {
	b     []byte
	begun bool
}

// What a binary COPY begins with, and the identities of array elements' types.
const (
	copySignature = "PGCOPY\n\xff\r\n\x00"
	int4OID       = 23
	float4OID     = 700
)

// epoch is when PostgreSQL's time begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *copyBinary) begin() {
	if !c.begun {
		c.begun = true
		c.b = append(append(c.b, copySignature...), 0, 0, 0, 0, 0, 0, 0, 0)
	}
}

func (c *copyBinary) row(columns int) {
	c.begin()
	c.b = binary.BigEndian.AppendUint16(c.b, uint16(columns))
}

func (c *copyBinary) size(n int) { c.b = binary.BigEndian.AppendUint32(c.b, uint32(n)) }

func (c *copyBinary) null() { c.b = append(c.b, 0xff, 0xff, 0xff, 0xff) }

func (c *copyBinary) text(s string) {
	s = withoutZero(s)
	c.size(len(s))
	c.b = append(c.b, s...)
}

func (c *copyBinary) json(s []byte) {
	c.size(1 + len(s))
	c.b = append(append(c.b, 1), s...)
}

func (c *copyBinary) integer(v int64, bytes int) {
	c.size(bytes)
	if bytes == 4 {
		c.b = binary.BigEndian.AppendUint32(c.b, uint32(v))
	} else {
		c.b = binary.BigEndian.AppendUint64(c.b, uint64(v))
	}
}

func (c *copyBinary) float(v float64) {
	c.size(8)
	c.b = binary.BigEndian.AppendUint64(c.b, math.Float64bits(v))
}

func (c *copyBinary) boolean(v bool) {
	c.size(1)
	if v {
		c.b = append(c.b, 1)
	} else {
		c.b = append(c.b, 0)
	}
}

func (c *copyBinary) time(t time.Time) {
	c.size(8)
	c.b = binary.BigEndian.AppendUint64(c.b, uint64(t.UnixMicro()-epoch.UnixMicro()))
}

// array begins an array without nulls of 4-byte elements.
func (c *copyBinary) array(oid, n int) {
	if n == 0 {
		c.size(12)
		c.b = binary.BigEndian.AppendUint32(append(c.b, make([]byte, 8)...), uint32(oid))
		return
	}
	c.size(20 + 8*n)
	for _, v := range []int{1, 0, oid, n, 1} { // dimensions, no nulls, type, length, first index
		c.b = binary.BigEndian.AppendUint32(c.b, uint32(v))
	}
}

func (c *copyBinary) integers(v []int32) {
	c.array(int4OID, len(v))
	for _, x := range v {
		c.size(4)
		c.b = binary.BigEndian.AppendUint32(c.b, uint32(x))
	}
}

func (c *copyBinary) floats(v []float32) {
	c.array(float4OID, len(v))
	for _, x := range v {
		c.size(4)
		c.b = binary.BigEndian.AppendUint32(c.b, math.Float32bits(x))
	}
}

func (c *copyBinary) vector(v []float32) {
	c.size(4 + 4*len(v))
	c.b = binary.BigEndian.AppendUint16(c.b, uint16(len(v)))
	c.b = append(c.b, 0, 0)
	for _, x := range v {
		c.b = binary.BigEndian.AppendUint32(c.b, math.Float32bits(x))
	}
}

func (c *copyBinary) end() []byte {
	c.begin()
	c.b = append(c.b, 0xff, 0xff)
	return c.taken()
}

func (c *copyBinary) taken() []byte {
	b := c.b
	c.b = c.b[:0]
	return b
}
