// Package scan reads single columns of a table's Parquet files, those of vectors in blocks, whoever wrote the files.
package scan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/footer"
	"textmill/export/internal/pages"
	"textmill/export/parquetin"
	"textmill/export/part"
)

// File is one Parquet file of a table. It is safe for concurrent use.
type File struct {
	r       io.ReaderAt
	size    int64
	file    *parquet.File
	cells   func() (*parquetin.File, error) // opened when it is first asked for
	vectors leaf
}

// maxRows bounds the rows of a row group, of each of which a condition takes a byte. Others write a million of them.
const maxRows = 1 << 26

// leaf is a column of values in a list or a map.
type leaf struct {
	column         int
	kind           parquet.Kind
	entry, present byte // definition levels from which on there is an element, and one that is not null
}

// Open reads the footer of the file in r. What cannot be read is part.ErrDamaged, here and in the methods.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer func() { damaged(recover(), &err) }()
	if err := footer.Check(r, size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	f = &File{r: r, size: size, file: file,
		cells: sync.OnceValues(func() (*parquetin.File, error) { return parquetin.Open(r, size, 0) })}
	for i, n := range f.Groups() {
		if n < 0 || n > maxRows {
			return nil, fmt.Errorf("row group %d has %d rows; the limit is %d", i, n, maxRows)
		}
	}
	found, err := f.leaves("embedding", 1)
	if err != nil {
		return nil, err
	}
	f.vectors = found[0]
	if k := f.vectors.kind; k != parquet.Float && k != parquet.Int32 {
		return nil, fmt.Errorf("column embedding has elements of type %s", k)
	}
	return f, nil
}

// damaged gives an error its class, and turns a panic of the Parquet library, which it has for some damaged files,
// into one.
func damaged(panicked any, err *error) {
	switch {
	case panicked != nil:
		*err = fmt.Errorf("%w: %v", part.ErrDamaged, panicked)
	case *err != nil:
		*err = fmt.Errorf("%w: %w", part.ErrDamaged, *err)
	}
}

// leaves finds the leaf columns below a repeated one, which must be so many.
func (f *File) leaves(name string, n int) ([]leaf, error) {
	var found []leaf
	schema := f.file.Schema()
	for _, path := range schema.Columns() {
		if path[0] != name {
			continue
		}
		c, ok := schema.Lookup(path...)
		if !ok || c.MaxRepetitionLevel != 1 {
			return nil, fmt.Errorf("column %s is no list of plain values", strings.Join(path, "."))
		}
		l := leaf{column: c.ColumnIndex, kind: c.Node.Type().Kind(), present: byte(c.MaxDefinitionLevel)}
		level := byte(0)
		for node := parquet.Node(schema); len(path) > 0; path = path[1:] {
			fields := node.Fields()
			i := slices.IndexFunc(fields, func(f parquet.Field) bool { return f.Name() == path[0] })
			node = fields[i]
			if !node.Required() {
				level++
			}
			if node.Repeated() {
				l.entry = level
			}
		}
		found = append(found, l)
	}
	if len(found) != n {
		return nil, fmt.Errorf("column %s has %d leaves, not %d", name, len(found), n)
	}
	return found, nil
}

// Groups is how many rows each row group has.
func (f *File) Groups() []int64 {
	groups := f.file.RowGroups()
	out := make([]int64, len(groups))
	for i, g := range groups {
		out[i] = g.NumRows()
	}
	return out
}

// VectorBytes is how many bytes of the file the vectors of a row group are.
func (f *File) VectorBytes(group int) int64 {
	return f.file.Metadata().RowGroups[group].Columns[f.vectors.column].MetaData.TotalCompressedSize
}

// open begins to read a column of a row group, whose pages were checked.
func (f *File) open(src io.ReaderAt, group, column int) (*parquet.FilePages, error) {
	if err := pages.Check(src, f.file, group, []int{column}, pages.DefaultMax); err != nil {
		return nil, err
	}
	chunk, ok := f.file.RowGroups()[group].ColumnChunks()[column].(*parquet.FileColumnChunk)
	if !ok {
		return nil, fmt.Errorf("row group %d has no column %d", group, column)
	}
	return chunk.PagesFrom(src), nil
}
