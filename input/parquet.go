package input

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"unicode/utf8"

	"textmill/export/parquetin"
	"textmill/jobs"
)

// errStopped ends a read of which no more is wanted.
var errStopped = errors.New("stopped")

// parquetRow is a row, or the error that ends the file.
type parquetRow struct {
	values []parquetin.Value // valid until the next is pulled
	number int64             // in the file, from 1
	err    error
}

// parquetSource makes a record of each row; columns that have no text form are left out.
type parquetSource struct {
	pull   func() (parquetRow, bool)
	layout layout
	max    int
}

// openParquet reads a whole file. What cannot be read at any place is copied to a temporary file first.
func (r *Reader) openParquet(stream io.Reader, plain *bufio.Reader, compressed bool, o Options) error {
	if f, ok := stream.(*os.File); ok && !compressed {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			return r.openRowGroups(f, st.Size(), nil, o)
		}
	}
	if s, ok := stream.(*io.SectionReader); ok && !compressed {
		return r.openRowGroups(s, s.Size(), nil, o)
	}
	f, err := os.CreateTemp("", "textmill-*.parquet")
	if err != nil {
		return fmt.Errorf("copy the stream to a file: %w", err)
	}
	r.closes = append(r.closes, f.Close)
	if err := os.Remove(f.Name()); err != nil { // it lives as long as it is open
		return fmt.Errorf("copy the stream to a file: %w", err)
	}
	size, err := io.Copy(f, plain)
	if err != nil {
		return fmt.Errorf("copy the stream to a file: %w", err)
	}
	return r.openRowGroups(f, size, nil, o)
}

// openRowGroups reads the row groups with these numbers; nil means all.
func (r *Reader) openRowGroups(at io.ReaderAt, size int64, groups []int, o Options) error {
	page := int64(parquetin.DefaultMaxPage)
	if o.MaxExpandedBytes > 0 {
		page = min(page, o.MaxExpandedBytes)
	}
	f, err := parquetin.Open(at, size, page)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	rows := f.RowGroups()
	for _, g := range groups {
		if g < 0 || g >= len(rows) {
			return fmt.Errorf("%w: there is no row group %d; the file has %d", ErrInputRange, g, len(rows))
		}
	}
	if groups == nil {
		for g := range rows {
			groups = append(groups, g)
		}
	}
	s := &parquetSource{max: o.MaxRecordBytes}
	if r.skipped, err = s.choose(f, o); err != nil {
		return err
	}
	next, stop := iter.Pull(readRows(f, rows, groups, s.layout.names))
	r.closes = append(r.closes, func() error { stop(); return nil })
	s.pull = next
	r.src = s
	return nil
}

// readRows yields the rows of the groups, then, if reading fails, why.
func readRows(f *parquetin.File, rows []int64, groups []int, columns []string) iter.Seq[parquetRow] {
	return func(yield func(parquetRow) bool) {
		for _, g := range groups {
			number := int64(1)
			for _, before := range rows[:g] {
				number += before
			}
			err := f.Read(context.Background(), []int{g}, columns, func(values []parquetin.Value) error {
				if !yield(parquetRow{values: values, number: number}) {
					return errStopped
				}
				number++
				return nil
			})
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				yield(parquetRow{err: fmt.Errorf("%w: %w", ErrFormat, err)})
				return
			}
		}
	}
}

// choose finds the columns to read and returns the names of those that cannot be.
func (s *parquetSource) choose(f *parquetin.File, o Options) (skipped []string, err error) {
	text, err := o.pieces()
	if err != nil {
		return nil, err
	}
	wanted := o.wanted(text)
	var names, columns []string
	for _, c := range f.Columns() {
		names = append(names, c.Name)
		switch {
		case !utf8.ValidString(c.Name):
			return nil, fmt.Errorf("%w: the name of column %q is not valid UTF-8", ErrFormat, c.Name)
		case slices.Contains(columns, c.Name):
			return nil, fmt.Errorf("%w: two columns are called %q", ErrFormat, c.Name)
		case o.AttributeColumns != nil && !slices.Contains(wanted, c.Name):
		case c.Err == nil:
			columns = append(columns, c.Name)
		case slices.Contains(wanted, c.Name):
			return nil, fmt.Errorf("%w: %w", ErrFormat, c.Err)
		default:
			skipped = append(skipped, c.Name)
		}
	}
	own := len(columns)
	for _, name := range wanted {
		if slices.Contains(columns, name) {
			continue
		}
		c, there := f.Column(name)
		if there && c.Err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, c.Err)
		}
		if there {
			columns = append(columns, name)
		}
	}
	s.layout, err = newLayout("file", columns, own, names, o)
	return skipped, err
}

func (s *parquetSource) next(it *Item) error {
	row, ok := s.pull()
	switch {
	case !ok:
		return io.EOF
	case row.err != nil:
		return row.err
	}
	*it = Item{Line: row.number}
	size := 0
	for _, v := range row.values {
		size += len(v.Text)
	}
	rec := &it.Record
	if id := s.layout.id; id >= 0 && utf8.ValidString(row.values[id].Text) && len(row.values[id].Text) <= longestKeptID {
		rec.ID = row.values[id].Text
	}
	if size > s.max {
		rec.Err = rowError(jobs.TooLong, row.number,
			"the record has %d bytes, the limit is %d; split the text, or raise limits.record_bytes", size, s.max)
		return nil
	}
	s.fill(rec, row)
	return nil
}

func (s *parquetSource) fill(rec *jobs.Record, row parquetRow) {
	l := &s.layout
	for i, v := range row.values {
		if !utf8.ValidString(v.Text) {
			rec.Err = rowError(jobs.BadUTF8, row.number, "%s is not valid UTF-8", l.names[i])
			return
		}
	}
	text, problem := l.join(func(i int) (string, bool) { return row.values[i].Text, !row.values[i].Null })
	if problem != nil {
		rec.Err = rowError(problem.Class, row.number, "%s", problem.Message)
		return
	}
	rec.Text = text
	if l.id >= 0 {
		rec.ID = row.values[l.id].Text
	}
	for _, i := range l.attributes {
		if row.values[i].Null {
			continue
		}
		if rec.Attributes == nil {
			rec.Attributes = make(map[string]string, len(l.attributes))
		}
		rec.Attributes[l.names[i]] = row.values[i].Text
	}
}

func rowError(class string, row int64, format string, args ...any) *jobs.RecordError {
	return &jobs.RecordError{Class: class, Message: fmt.Sprintf("row %d: ", row) + fmt.Sprintf(format, args...)}
}
