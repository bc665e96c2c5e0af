package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"textmill/jobs"
)

// longestKeptID bounds the id that an over-long CSV record keeps.
const longestKeptID = 4 << 10

// csvSource reads RFC 4180 records; a quote inside an unquoted field is an ordinary character.
type csvSource struct {
	lines  *lineReader
	comma  byte
	max    int
	header []string
	layout layout
	cut    bool // the input ends before its file does

	buf  []byte // the fields of the record at hand, one after the other
	ends []int
	size int64 // bytes of the record as written
}

// newCSVSource reads the header from lines and finds the columns in it.
func newCSVSource(lines *lineReader, comma byte, o Options) (*csvSource, error) {
	s := &csvSource{lines: lines, comma: comma, max: o.MaxRecordBytes, layout: layout{id: -1}}
	for {
		_, problem, err := s.read()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: no CSV header: the first line must name the columns", ErrFormat)
		}
		if err != nil {
			return nil, err
		}
		if problem != nil {
			return nil, fmt.Errorf("%w: CSV header: %s", ErrFormat, problem.Message)
		}
		if len(s.ends) > 0 {
			break
		}
	}
	for i := range s.ends {
		name := string(s.field(i))
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("%w: CSV header: column %d is not UTF-8", ErrFormat, i+1)
		}
		if slices.Contains(s.header, name) {
			return nil, fmt.Errorf("%w: CSV header: two columns are called %q", ErrFormat, name)
		}
		s.header = append(s.header, name)
	}
	var err error
	s.layout, err = newLayout("header", s.header, len(s.header), s.header, o)
	return s, err
}

func (s *csvSource) next(it *Item) error {
	for {
		line, problem, err := s.read()
		if err != nil {
			return err
		}
		if len(s.ends) == 0 && problem == nil {
			continue // a blank line
		}
		*it = Item{Line: line}
		if problem == nil && len(s.ends) != len(s.header) {
			problem = lineError(jobs.InvalidRecord, line, "%d fields, the header has %d", len(s.ends), len(s.header))
		}
		if problem == nil && !utf8.Valid(s.buf) {
			problem = lineError(jobs.BadUTF8, line, "not valid UTF-8")
		}
		if id := s.layout.id; id >= 0 && id < len(s.ends) && utf8.Valid(s.field(id)) {
			it.Record.ID = string(s.field(id))
		}
		if problem != nil {
			it.Record.Err = problem
			return nil //nolint:nilerr // a bad record is a record
		}
		s.fillRecord(&it.Record)
		return nil
	}
}

func (s *csvSource) fillRecord(r *jobs.Record) {
	r.Text, _ = s.layout.join(func(i int) (string, bool) { return string(s.field(i)), true })
	for _, i := range s.layout.attributes {
		if r.Attributes == nil {
			r.Attributes = make(map[string]string, len(s.layout.attributes))
		}
		r.Attributes[s.header[i]] = string(s.field(i))
	}
}

func (s *csvSource) field(i int) []byte {
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.buf[from:s.ends[i]]
}

// read takes the next record into buf and ends; no ends mean a blank line.
func (s *csvSource) read() (line int64, problem *jobs.RecordError, err error) {
	s.buf, s.ends, s.size = s.buf[:0], s.ends[:0], 0
	piece, more, err := s.lines.next()
	if err != nil {
		return 0, nil, err
	}
	line = s.lines.line
	if !more && bytes.IndexByte(piece, '"') < 0 {
		s.plain(trimCR(piece))
		return line, nil, nil
	}
	scan := csvScan{csvSource: s}
	for {
		s.size += int64(len(piece))
		if scan.take(piece, more) {
			break
		}
		if piece, more, err = s.lines.next(); errors.Is(err, io.EOF) {
			if s.cut {
				return 0, nil, fmt.Errorf("%w: it ends inside quotes that open on its line %d", ErrInputRange, line)
			}
			scan.endField()
			return line, lineError(jobs.InvalidRecord, line, "a quote is opened and never closed"), nil
		}
		if err != nil {
			return 0, nil, err
		}
	}
	switch {
	case s.size > int64(s.max):
		return line, tooLong(line, s.size, s.max), nil
	case scan.stray:
		return line, lineError(jobs.InvalidRecord, line,
			"text after a closing quote; write a quote inside a quoted field twice"), nil
	}
	return line, nil, nil
}

// plain splits a line that has no quotes.
func (s *csvSource) plain(line []byte) {
	if len(line) == 0 {
		return
	}
	for {
		i := bytes.IndexByte(line, s.comma)
		if i < 0 {
			s.buf = append(s.buf, line...)
			s.ends = append(s.ends, len(s.buf))
			return
		}
		s.buf = append(s.buf, line[:i]...)
		s.ends = append(s.ends, len(s.buf))
		line = line[i+1:]
	}
}
