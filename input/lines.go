package input

import (
	"bytes"
	"errors"
	"io"
)

const firstBuffer = 64 << 10

// lineReader cuts a stream into lines without ever holding more than max bytes of one.
type lineReader struct {
	r        io.Reader
	buf      []byte
	from, to int  // buf[from:to] is read and not yet handed out
	scanned  int  // buf[from:scanned] holds no newline
	max      int  // longest piece handed out
	inLine   bool // the last piece did not end its line
	line     int64
	err      error
}

func newLineReader(r io.Reader, maxBytes int) *lineReader {
	return &lineReader{r: r, max: maxBytes, buf: make([]byte, min(firstBuffer, maxBytes+1))}
}

// next returns a piece of the input up to, without, its newline; a trailing carriage return stays.
// more says that the line is longer than max and goes on in the next piece. The bytes are valid until the
// next call. The end is io.EOF; a last line without newline is a line.
func (l *lineReader) next() (piece []byte, more bool, err error) {
	if !l.inLine {
		l.line++
	}
	for {
		if i := bytes.IndexByte(l.buf[l.scanned:l.to], '\n'); i >= 0 {
			end := l.scanned + i
			piece = l.buf[l.from:end]
			l.from, l.scanned, l.inLine = end+1, end+1, false
			return piece, false, nil
		}
		l.scanned = l.to
		switch {
		case l.to-l.from > l.max:
			piece = l.buf[l.from : l.from+l.max]
			l.from += l.max
			l.inLine = true
			return piece, true, nil
		case l.err != nil:
			return l.rest()
		}
		l.fill()
	}
}

// rest hands out what an ended stream left behind.
func (l *lineReader) rest() ([]byte, bool, error) {
	if !errors.Is(l.err, io.EOF) || (l.from == l.to && !l.inLine) {
		return nil, false, l.err
	}
	piece := l.buf[l.from:l.to]
	l.from, l.scanned, l.inLine = l.to, l.to, false
	return piece, false, nil
}

func (l *lineReader) fill() {
	if l.from > 0 && l.to == len(l.buf) {
		copy(l.buf, l.buf[l.from:l.to])
		l.scanned -= l.from
		l.to -= l.from
		l.from = 0
	}
	if l.to == len(l.buf) {
		grown := make([]byte, min(2*len(l.buf), l.max+1))
		copy(grown, l.buf)
		l.buf = grown
	}
	for empty := 0; ; empty++ {
		n, err := l.r.Read(l.buf[l.to:])
		l.to += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
		if empty == 100 {
			l.err = io.ErrNoProgress
			return
		}
	}
}

// skip passes over the rest of a line whose piece said more, and returns how many bytes that was.
func (l *lineReader) skip() (int64, error) {
	var n int64
	for {
		piece, more, err := l.next()
		n += int64(len(piece))
		if err != nil || !more {
			return n, err
		}
	}
}
