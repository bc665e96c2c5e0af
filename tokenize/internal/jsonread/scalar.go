package jsonread

import (
	"math"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// rawString reads the string that starts at pos. It aliases the document unless the string has escapes.
func (r *Reader) rawString() []byte {
	r.pos++
	from := r.pos
	high := false
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			s := r.data[from:r.pos]
			r.pos++
			if high && !utf8.Valid(s) {
				r.syntax("invalid UTF-8 in a string")
				return nil
			}
			return s
		case c == '\\':
			return r.escaped(from)
		case c < 0x20:
			r.syntax("control character in a string")
			return nil
		case c >= 0x80:
			high = true
		}
		r.pos++
	}
	r.syntax("unfinished string")
	return nil
}

func (r *Reader) escaped(from int) []byte {
	buf := append(r.buf[:0], r.data[from:r.pos]...)
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		switch {
		case c == '"':
			r.buf = buf
			if !utf8.Valid(buf) {
				r.syntax("invalid UTF-8 in a string")
				return nil
			}
			return buf
		case c < 0x20:
			r.syntax("control character in a string")
			return nil
		case c != '\\':
			buf = append(buf, c)
			continue
		}
		if r.pos >= len(r.data) {
			break
		}
		c = r.data[r.pos]
		r.pos++
		switch c {
		case '"', '\\', '/':
			buf = append(buf, c)
		case 'b':
			buf = append(buf, '\b')
		case 'f':
			buf = append(buf, '\f')
		case 'n':
			buf = append(buf, '\n')
		case 'r':
			buf = append(buf, '\r')
		case 't':
			buf = append(buf, '\t')
		case 'u':
			c, ok := r.unicode()
			if !ok {
				return nil
			}
			buf = utf8.AppendRune(buf, c)
		default:
			r.syntax("unknown escape")
			return nil
		}
	}
	r.syntax("unfinished string")
	return nil
}

// unicode reads the digits after \u, and the other half of a surrogate pair; a lone half is refused.
func (r *Reader) unicode() (rune, bool) {
	c, ok := r.hex4()
	if !ok {
		return 0, false
	}
	if !utf16.IsSurrogate(c) {
		return c, true
	}
	if r.pos+1 < len(r.data) && r.data[r.pos] == '\\' && r.data[r.pos+1] == 'u' {
		r.pos += 2
		low, ok := r.hex4()
		if !ok {
			return 0, false
		}
		if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
			return pair, true
		}
	}
	r.syntax("lone surrogate in a string")
	return 0, false
}

func (r *Reader) hex4() (rune, bool) {
	if r.pos+4 <= len(r.data) {
		if v, err := strconv.ParseUint(string(r.data[r.pos:r.pos+4]), 16, 32); err == nil {
			r.pos += 4
			return rune(v), true
		}
	}
	r.syntax("bad \\u escape")
	return 0, false
}

// number reads the text of a number in JSON's own grammar.
func (r *Reader) number() []byte {
	from := r.pos
	digits := func() bool {
		start := r.pos
		for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
			r.pos++
		}
		return r.pos > start
	}
	r.peek('-')
	lead := r.pos
	ok := digits()
	if ok && r.data[lead] == '0' && r.pos > lead+1 {
		ok = false
	}
	if ok && r.peek('.') {
		ok = digits()
	}
	if ok && r.pos < len(r.data) && r.data[r.pos]|0x20 == 'e' {
		r.pos++
		if !r.peek('+') {
			r.peek('-')
		}
		ok = digits()
	}
	if !ok {
		r.syntax("bad number")
		return nil
	}
	return r.data[from:r.pos]
}

// Uint reads a whole number of at most max.
func (r *Reader) Uint(max uint64) uint64 {
	if r.Kind() != '0' {
		r.want("a whole number")
		return 0
	}
	from := r.pos
	var v uint64
	for r.pos < len(r.data) && r.pos-from < 18 {
		c := r.data[r.pos] - '0'
		if c > 9 {
			break
		}
		v = v*10 + uint64(c)
		r.pos++
	}
	if n := r.pos - from; n > 0 && (n == 1 || r.data[from] != '0') && !r.moreNumber() && v <= max {
		return v
	}
	r.pos = from
	if text := r.number(); r.err == nil {
		r.Failf("%s is not a whole number from 0 to %d", text, max)
	}
	return 0
}

func (r *Reader) moreNumber() bool {
	if r.pos >= len(r.data) {
		return false
	}
	switch c := r.data[r.pos]; c {
	case '.', 'e', 'E', '-', '+':
		return true
	default:
		return c >= '0' && c <= '9'
	}
}

// ID reads a token ID. Hugging Face allows 32 unsigned bits; IDs here are int32, so the upper half is refused.
func (r *Reader) ID() int32 { return int32(r.Uint(math.MaxInt32)) }

// Float reads a number. Its value is what Hugging Face's own reader makes of the text, which can be one unit in the
// last place off the nearest: scores are compared, and a unit decides ties.
func (r *Reader) Float() float64 {
	if r.Kind() != '0' {
		r.want("a number")
		return 0
	}
	text := r.number()
	if r.err != nil {
		return 0
	}
	v, ok := float(text)
	if !ok {
		r.Failf("number %s is out of range", text)
	}
	return v
}

// float scales the leading digits, as many as fit 64 bits, by a power of ten.
func float(text []byte) (float64, bool) {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var digits uint64
	exponent, full, point := 0, false, false
	i := 0
	for ; i < len(text) && text[i]|0x20 != 'e'; i++ {
		if text[i] == '.' {
			point = true
			continue
		}
		d := uint64(text[i] - '0')
		if full = full || digits > (math.MaxUint64-d)/10; full {
			if !point {
				exponent++
			}
			continue
		}
		digits = digits*10 + d
		if point {
			exponent--
		}
	}
	if i < len(text) {
		e, err := strconv.Atoi(string(text[i+1:]))
		if err != nil || e > 1<<20 || e < -1<<20 {
			e = 1 << 20
			if text[i+1] == '-' {
				e = -e
			}
		}
		exponent += e
	}
	f, ok := scale(float64(digits), exponent)
	if negative {
		f = -f
	}
	return f, ok
}

func scale(f float64, exponent int) (float64, bool) {
	for exponent < -308 && f != 0 {
		f /= 1e308
		exponent += 308
	}
	switch {
	case f == 0:
		return f, true
	case exponent > 308:
		return 0, false
	case exponent >= 0:
		f *= powers()[exponent]
	default:
		f /= powers()[-exponent]
	}
	return f, !math.IsInf(f, 0)
}

// powers are the powers of ten, each the nearest float.
var powers = sync.OnceValue(func() *[309]float64 {
	var table [309]float64
	for i := range table {
		table[i], _ = strconv.ParseFloat("1e"+strconv.Itoa(i), 64)
	}
	return &table
})
