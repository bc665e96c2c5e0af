// Package parquetin reads the columns of Parquet files that others wrote, row by row, in memory that does not grow
// with the file.
package parquetin

import (
	"errors"
	"fmt"
	"io"
	"strings"

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
		f.columns = append(f.columns, describe(c, c.Name()))
	}
	return f, nil
}

// caught turns a panic of the Parquet library, which it has for some damaged files, into the error that it means.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrFormat, p)
	}
}

func describe(c *parquet.Column, name string) Column {
	out := Column{Name: name, leaf: c.Index()}
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

// Column is the column of that name, else the one in structs that the name is a path to, as in a.b; false if there is
// none. Of several columns of one name it is the first.
func (f *File) Column(name string) (Column, bool) {
	for _, c := range f.columns {
		if c.Name == name {
			return c, true
		}
	}
	c := inside(f.file.Root(), name)
	if c == nil {
		return Column{}, false
	}
	return describe(c, name), true
}

// inside gives the column that a path names below a group: the one of that very name, else, with the longest name
// that the path begins with before a dot, what the rest names in there. Below what is repeated there is nothing.
func inside(group *parquet.Column, path string) *parquet.Column {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		c := group.Column(path[:end])
		switch {
		case c == nil:
		case end == len(path):
			return c
		case !c.Leaf() && !c.Repeated() && (c.Type() == nil || c.Type().LogicalType() == nil):
			if in := inside(c, path[end+1:]); in != nil {
				return in
			}
		}
	}
	return nil
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
		c, found := f.Column(name)
		switch {
		case !found:
			return nil, fmt.Errorf("%w: there is no column %q; the file has %s", ErrColumn, name, f.names())
		case c.Err != nil:
			return nil, c.Err
		}
		out = append(out, c)
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
