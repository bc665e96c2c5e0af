package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"textmill/ground/ondisk"
)

// join goes through input and table side by side.
func (s *submission) join(c *difference, wanted, held *ondisk.Sorter) error {
	fmt.Fprintf(c.hash, "sync 1\n%s\n%s\n%s\n%q\n", s.o.Task, s.o.Model, s.sha256, s.o.Params)
	in, err := newAhead(wanted)
	if err != nil {
		return err
	}
	table, err := newAhead(held)
	if err != nil {
		return err
	}
	c.Version = c.from.Version
	for err == nil && (in.more || table.more) {
		order := -1
		switch {
		case !in.more:
			order = 1
		case table.more:
			order = bytes.Compare(in.key, table.key)
		}
		switch {
		case order < 0:
			err = s.joinNew(c, in)
		case order > 0:
			err = s.joinMissing(c, table)
		default:
			err = s.joinBoth(c, in, table)
		}
	}
	return err
}

func (s *submission) joinNew(c *difference, in *ahead) error {
	one, err := s.readWanted(in)
	if err != nil {
		return err
	}
	c.New++
	return c.publish(one.id, one.line)
}

func (s *submission) joinMissing(c *difference, table *ahead) error {
	id, _, err := group(table)
	if err != nil {
		return err
	}
	if c.Missing++; !s.o.DeleteMissing {
		return nil
	}
	c.Deleted++
	return c.take(id)
}

func (s *submission) joinBoth(c *difference, in, table *ahead) error {
	one, err := s.readWanted(in)
	if err != nil {
		return err
	}
	_, has, err := group(table)
	if err != nil {
		return err
	}
	invalid := one.line[0] == 1
	switch {
	case has.mixed || !bytes.Equal(has.content, one.content):
		c.Changed++
	case has.failed && !invalid:
		c.Retried++
	default:
		c.Unchanged++
		return nil
	}
	return c.publish(one.id, one.line)
}

// want is a record of the input.
type want struct{ id, content, line []byte }

// readWanted reads the next record of the input, and refuses a second one of its id.
func (s *submission) readWanted(in *ahead) (want, error) {
	read := func() (file, line uint64, rest []byte, ok bool) {
		v := in.value[min(sha256.Size, len(in.value)):]
		file, n := binary.Uvarint(v)
		line, m := binary.Uvarint(v[max(n, 0):])
		return file, line, v[max(n, 0)+max(m, 0):], n > 0 && m > 0 && int(file) < len(s.src.files)
	}
	file, line, rest, ok := read()
	if !ok || len(rest) < 2 {
		return want{}, errSpoiled
	}
	one := want{bytes.Clone(in.key), bytes.Clone(in.value[:sha256.Size]), bytes.Clone(rest)}
	if err := in.step(); err != nil {
		return want{}, err
	}
	if !in.more || !bytes.Equal(in.key, one.id) {
		return one, nil
	}
	file2, line2, _, ok := read()
	if !ok {
		return want{}, errSpoiled
	}
	return want{}, fmt.Errorf("%w: the id %q is given twice: %s, line %d, and %s, line %d; --sync needs one record for each id",
		ErrUsage, one.id, s.src.files[file], line, s.src.files[file2], line2)
}

// has is what the table holds of a record.
type has struct {
	content []byte
	failed  bool // some row is an error row
	mixed   bool // rows are of several contents, or came more than once
}

// group reads all rows of the next record of the table.
func group(table *ahead) (id []byte, h has, err error) {
	id = bytes.Clone(table.key)
	var origin []byte
	for table.more && bytes.Equal(table.key, id) {
		if len(table.value) != heldBytes {
			return nil, h, errSpoiled
		}
		content, from := table.value[:sha256.Size], table.value[sha256.Size+1:]
		if h.content == nil {
			h.content, origin = bytes.Clone(content), bytes.Clone(from)
		}
		h.mixed = h.mixed || !bytes.Equal(h.content, content) || !bytes.Equal(origin, from)
		h.failed = h.failed || table.value[sha256.Size] == 1
		if err := table.step(); err != nil {
			return nil, h, err
		}
	}
	return id, h, nil
}

// ahead is a cursor that has read its next item.
type ahead struct {
	cursor     *ondisk.Cursor
	more       bool
	key, value []byte
}

func newAhead(s *ondisk.Sorter) (*ahead, error) {
	cursor, err := s.Sorted()
	if err != nil {
		return nil, err
	}
	a := &ahead{cursor: cursor}
	return a, a.step()
}

func (a *ahead) step() (err error) {
	a.key, a.value, err = a.cursor.Next()
	a.more = err == nil
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}
