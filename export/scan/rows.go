package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
	"textmill/export/part"
)

// Row is what a row says beside its vector.
type Row struct {
	RecordID   string
	Text       part.Null[string]
	Attributes map[string]string
	Chunk      part.Null[int32]
}

// described is those columns as they lie in Parquet.
type described struct {
	RecordID   *string           `parquet:"record_id,optional"`
	Text       *string           `parquet:"text,optional"`
	Attributes map[string]string `parquet:"attributes,optional"`
	Chunk      *int32            `parquet:"chunk,optional"`
}

// Rows reads some rows of a row group, which are counted in it and in rising order, and calls each with them in that
// order. It reads each column once, and no further than the last of them.
func (f *File) Rows(ctx context.Context, group int, wanted []int64, each func(Row)) (err error) {
	defer func() { damaged(recover(), &err) }()
	var leaves []int
	schema := f.file.Schema()
	for _, path := range schema.Columns() {
		if slices.Contains([]string{"record_id", "text", "attributes", "chunk"}, path[0]) {
			c, _ := schema.Lookup(path...)
			leaves = append(leaves, c.ColumnIndex)
		}
	}
	if err := pages.Check(f.r, f.file, group, leaves, pages.DefaultMax); err != nil {
		return err
	}
	r := parquet.NewGenericRowGroupReader[described](f.file.RowGroups()[group])
	defer r.Close()
	records := make([]described, 64)
	next, have := int64(0), 0 // the row after records[:have]
	for _, at := range wanted {
		if at-next > seekFrom {
			if err := r.SeekToRow(at); err != nil {
				return fmt.Errorf("row %d of row group %d: %w", at, group, err)
			}
			next, have = at, 0
		}
		for at >= next {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			clear(records)
			n, err := r.Read(records)
			if n == 0 {
				return fmt.Errorf("row %d of row group %d: %w", at, group, err)
			}
			next, have = next+int64(n), n
		}
		each(records[int64(have)-(next-at)].row())
	}
	return nil
}

// seekFrom is over how many rows it is cheaper to seek, which begins at the first page again.
const seekFrom = 1024

// row is the record in memory of its own.
func (d *described) row() Row {
	row := Row{}
	if d.RecordID != nil {
		row.RecordID = strings.Clone(*d.RecordID)
	}
	if d.Text != nil {
		row.Text = part.Some(strings.Clone(*d.Text))
	}
	if d.Chunk != nil {
		row.Chunk = part.Some(*d.Chunk)
	}
	for k, v := range d.Attributes {
		if row.Attributes == nil {
			row.Attributes = make(map[string]string, len(d.Attributes))
		}
		row.Attributes[strings.Clone(k)] = strings.Clone(v)
	}
	return row
}
