package parquetin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Value is one cell: text as it is, numbers and booleans as JSON writes them, dates and times in ISO 8601, in UTC.
type Value struct {
	Text string
	Null bool
}

// Read calls each for every row of the row groups (nil = all) in order. The values stand in the order of columns (nil = all
// of the file's, which must then all be readable); the slice is valid only during the call, the strings for good.
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
			return err
		}
		if err := readGroup(ctx, all[g], chosen, each); err != nil {
			return err
		}
	}
	return nil
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

// checkPages reads the page headers of the chosen columns and refuses pages that would expand beyond the limit, before
// memory is given to any of them.
func (f *File) checkPages(group int, columns []Column) (err error) {
	defer caught(&err)
	for _, c := range columns {
		meta := &f.file.Metadata().RowGroups[group].Columns[c.leaf].MetaData
		at := meta.DataPageOffset
		if d := meta.DictionaryPageOffset; d > 0 && d < at {
			at = d
		}
		if at < 0 || meta.TotalCompressedSize < 0 || at+meta.TotalCompressedSize > f.file.Size() {
			return fmt.Errorf("%w: column %q of row group %d lies outside the file", ErrFormat, c.Name, group)
		}
		for end := at + meta.TotalCompressedSize; at < end; {
			n, err := f.checkPage(io.NewSectionReader(f.r, at, end-at), end-at)
			if err != nil {
				return fmt.Errorf("%w: column %q of row group %d: %w", ErrFormat, c.Name, group, err)
			}
			at += n
		}
	}
	return nil
}

// checkPage returns how many bytes the page takes, header and all.
func (f *File) checkPage(r *io.SectionReader, left int64) (int64, error) {
	var compact thrift.CompactProtocol
	counted := &countReader{r: r}
	var h format.PageHeader
	if err := thrift.NewDecoder(compact.NewReader(counted)).Decode(&h); err != nil {
		return 0, fmt.Errorf("page header: %w", unexpected(err))
	}
	switch {
	case h.CompressedPageSize < 0 || counted.n+int64(h.CompressedPageSize) > left:
		return 0, fmt.Errorf("a page of %d bytes does not fit its column", h.CompressedPageSize)
	case h.UncompressedPageSize < 0 || int64(h.UncompressedPageSize) > f.maxPage:
		return 0, fmt.Errorf("a page expands to %d bytes, the limit is %d", h.UncompressedPageSize, f.maxPage)
	}
	return counted.n + int64(h.CompressedPageSize), nil
}

// countReader hands out single bytes and short runs and counts them; it reads ahead in blocks of its own.
type countReader struct {
	r    io.Reader
	n    int64
	buf  [512]byte
	have []byte
}

func (c *countReader) Read(p []byte) (int, error) {
	if len(c.have) == 0 {
		n, err := c.r.Read(c.buf[:])
		if n == 0 {
			return 0, err
		}
		c.have = c.buf[:n]
	}
	n := copy(p, c.have)
	c.have, c.n = c.have[n:], c.n+int64(n)
	return n, nil
}

func (c *countReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := c.Read(b[:])
	return b[0], err
}
