package parquetin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
)

// Value is one cell: text as it is, numbers and booleans as JSON writes them, dates and times in ISO 8601, in UTC.
type Value struct {
	Text string
	Null bool
}

// Read calls each for every row of the row groups (nil = all) in order. The values stand in the order of columns (nil
// = all of the file's, which must then all be readable); the slice is valid only during the call, the strings for
// good.
func (f *File) Read(ctx context.Context, groups []int, columns []string, each func(row []Value) error) (err error) {
	chosen, err := f.choose(columns)
	if err != nil {
		return err
	}
	all := f.file.RowGroups()
	if groups == nil {
		for i := range all {
			groups = append(groups, i)
		}
	}
	for _, g := range groups {
		if g < 0 || g >= len(all) {
			return fmt.Errorf("%w: there is no row group %d; the file has %d", ErrFormat, g, len(all))
		}
	}
	for _, g := range groups {
		if err := f.checkPages(g, chosen); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if err := readGroup(ctx, all[g], chosen, each); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) checkPages(group int, columns []Column) (err error) {
	defer caught(&err)
	leaves := []int{}
	for _, c := range columns {
		leaves = append(leaves, c.leaf)
	}
	return pages.Check(f.r, f.file, group, leaves, f.maxPage)
}

func readGroup(ctx context.Context, g parquet.RowGroup, columns []Column, each func([]Value) error) error {
	cursors := make([]*cursor, len(columns))
	for i, c := range columns {
		cursors[i] = &cursor{column: c, pages: g.ColumnChunks()[c.leaf].Pages()}
	}
	defer func() {
		for _, c := range cursors {
			c.close()
		}
	}()
	row := make([]Value, len(columns))
	for n := int64(0); n < g.NumRows(); n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for i, c := range cursors {
			if err := c.next(&row[i]); err != nil {
				return fmt.Errorf("%w: column %q, row %d: %w", ErrFormat, c.column.Name, n, err)
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

// cursor goes through one column chunk, a page at a time.
type cursor struct {
	column Column
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer [64]parquet.Value
	n, i   int
}

func (c *cursor) next(v *Value) (err error) {
	defer caught(&err)
	for c.i == c.n {
		if err := c.fill(); err != nil {
			return err
		}
	}
	raw := &c.buffer[c.i]
	c.i++
	if *v = (Value{Null: raw.IsNull()}); !v.Null {
		v.Text = c.column.text(raw)
	}
	return nil
}

func (c *cursor) fill() error {
	c.i, c.n = 0, 0
	if c.values == nil {
		page, err := c.pages.ReadPage()
		if err != nil {
			return unexpected(err)
		}
		c.page, c.values = page, page.Values()
	}
	n, err := c.values.ReadValues(c.buffer[:])
	c.n = n
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n == 0 {
		parquet.Release(c.page)
		c.page, c.values = nil, nil
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	_ = c.pages.Close() // reading is over, and nothing was written
}
