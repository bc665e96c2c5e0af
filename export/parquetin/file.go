// Package parquetin reads the columns of Parquet files that others wrote, row by row, in memory that does not grow
// with the file.
package parquetin

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/footer"
	"textmill/export/internal/pages"
)

// ErrFormat is the class of files that are not Parquet, are damaged, or expand beyond the limits.
var ErrFormat = errors.New("unreadable Parquet file")

// ErrColumn is the class of columns that are absent or of a type that is not read.
var ErrColumn = errors.New("unreadable Parquet column")

// DefaultMaxPage is how large a page may be once decompressed.
const DefaultMaxPage = pages.DefaultMax

// Column is a top-level column.
type Column struct {
	Name string
	Type string // as Parquet prints it
	Err  error  // why it cannot be read (ErrColumn); nil when it can
	leaf int
	text textOf
}

// File is an open Parquet file. It is safe for concurrent use.
type File struct {
	r       io.ReaderAt
	file    *parquet.File
	columns []Column
	maxPage int64
}

// Open reads the footer of the file in r. maxPage bounds what one page may expand to; 0 = DefaultMaxPage.
func Open(r io.ReaderAt, size, maxPage int64) (f *File, err error) {
	defer caught(&err)
	if maxPage <= 0 {
		maxPage = DefaultMaxPage
	}
	if err := footer.Check(r, size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	f = &File{r: r, file: file, maxPage: maxPage}
	for _, c := range file.Root().Columns() {
		f.columns = append(f.columns, describe(c))
	}
	return f, nil
}

// caught turns a panic of the Parquet library, which it has for some damaged files, into the error that it means.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrFormat, p)
	}
}

func describe(c *parquet.Column) Column {
	out := Column{Name: c.Name(), leaf: c.Index()}
	switch {
	case !c.Leaf():
		out.Type = "group"
		if lt := c.Type(); lt != nil && lt.LogicalType() != nil {
			out.Type = lt.LogicalType().String()
		}
		out.Err = fmt.Errorf("%w: %q is nested (%s); only plain columns are read", ErrColumn, out.Name, out.Type)
	case c.Repeated():
		out.Type = "repeated " + c.Type().String()
		out.Err = fmt.Errorf("%w: %q is repeated; only plain columns are read", ErrColumn, out.Name)
	default:
		out.Type = c.Type().String()
		out.text = textFor(c.Type())
		if out.text == nil {
			out.Err = fmt.Errorf("%w: %q is of type %s, which has no text form", ErrColumn, out.Name, out.Type)
		}
	}
	return out
}

// Columns lists the top-level columns in the file's order.
func (f *File) Columns() []Column { return f.columns }

// RowGroups is how many rows each row group has.
func (f *File) RowGroups() []int64 {
	out := make([]int64, 0, len(f.file.RowGroups()))
	for _, g := range f.file.RowGroups() {
		out = append(out, g.NumRows())
	}
	return out
}

// choose finds the columns by name; nil means all of the file's.
func (f *File) choose(names []string) ([]Column, error) {
	if names == nil {
		for _, c := range f.columns {
			if c.Err != nil {
				return nil, c.Err
			}
		}
		return f.columns, nil
	}
	var out []Column
	for _, name := range names {
		found := false
		for _, c := range f.columns {
			if c.Name != name || found {
				continue
			}
			if c.Err != nil {
				return nil, c.Err
			}
			out, found = append(out, c), true
		}
		if !found {
			return nil, fmt.Errorf("%w: there is no column %q; the file has %s", ErrColumn, name, f.names())
		}
	}
	return out, nil
}

func (f *File) names() string {
	s := ""
	for i, c := range f.columns {
		if i > 0 {
			s += ", "
		}
		s += c.Name
	}
	return s
}
