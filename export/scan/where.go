package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"textmill/export/parquetin"
)

// Condition is that a plain column, or an attribute, has a value. A null has none.
type Condition struct {
	Column    string
	Attribute bool   // Column is an attribute's name
	Value     string // as text: numbers and booleans as JSON writes them, times in ISO 8601, in UTC
}

// Conditions are met by a row that meets all of them.
type Conditions []Condition

// Match tells which rows of a row group meet the conditions; nil if all do as there are none. Statistics in the footer
// spare reading what cannot match.
func (f *File) Match(ctx context.Context, group int, all Conditions) (rows []bool, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	defer func() { damaged(recover(), &err) }()
	rows = make([]bool, f.file.RowGroups()[group].NumRows())
	for _, c := range all {
		if !c.Attribute && f.without(group, c) {
			return rows, nil
		}
	}
	for i := range rows {
		rows[i] = true
	}
	if err := f.matchColumns(ctx, group, all, rows); err != nil {
		return nil, err
	}
	return rows, f.matchAttributes(ctx, group, all, rows)
}

func (f *File) matchColumns(ctx context.Context, group int, all Conditions, rows []bool) error {
	var names, values []string
	for _, c := range all {
		if !c.Attribute {
			names, values = append(names, c.Column), append(values, c.Value)
		}
	}
	if names == nil {
		return nil
	}
	row := 0
	return f.Columns(ctx, group, names, func(got []parquetin.Value) error {
		for i, v := range got {
			rows[row] = rows[row] && !v.Null && v.Text == values[i]
		}
		row++
		return nil
	})
}

// Columns calls each with some plain columns of every row of a row group.
func (f *File) Columns(ctx context.Context, group int, names []string, each func([]parquetin.Value) error) error {
	in, err := f.cells()
	if err != nil {
		return err
	}
	return in.Read(ctx, []int{group}, names, each)
}

func (f *File) matchAttributes(ctx context.Context, group int, all Conditions, rows []bool) (err error) {
	wanted := slices.DeleteFunc(slices.Clone(all), func(c Condition) bool { return !c.Attribute })
	if len(wanted) == 0 || !slices.Contains(rows, true) {
		return nil
	}
	met := make([]int, len(rows)) // how many of the conditions
	err = f.attributes(ctx, group, func(row int, key, value []byte) {
		for _, c := range wanted {
			if string(key) == c.Column && string(value) == c.Value && row < len(met) {
				met[row]++
			}
		}
	})
	for i := range rows {
		rows[i] = rows[i] && met[i] == len(wanted)
	}
	return err
}

// attributes calls each with every attribute of the rows that is not null.
func (f *File) attributes(ctx context.Context, group int, each func(row int, key, value []byte)) error {
	leaves, err := f.leaves("attributes", 2)
	if err != nil {
		return err
	}
	var columns [2]values
	for i, l := range leaves {
		from, err := f.open(f.r, group, l.column)
		if err != nil {
			return err
		}
		defer from.Close()
		columns[i].pages = from
	}
	row := -1
	for {
		if err := ctx.Err(); err != nil && row%256 == 0 {
			return context.Cause(ctx)
		}
		key, err := columns[0].next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		value, valueErr := columns[1].next()
		if err := errors.Join(err, valueErr); err != nil {
			return fmt.Errorf("column attributes of row group %d: %w", group, err)
		}
		if key.RepetitionLevel() == 0 {
			row++
		}
		if !key.IsNull() && !value.IsNull() && row >= 0 {
			each(row, key.ByteArray(), value.ByteArray())
		}
	}
}

// values goes through the values of a column.
type values struct {
	pages  *parquet.FilePages
	page   parquet.Page
	from   parquet.ValueReader
	buffer [128]parquet.Value
	n, i   int
}

func (v *values) next() (*parquet.Value, error) {
	for v.i == v.n {
		if v.from == nil {
			page, err := v.pages.ReadPage()
			if err != nil {
				return nil, err
			}
			v.page, v.from = page, page.Values()
		}
		n, err := v.from.ReadValues(v.buffer[:])
		if v.i, v.n = 0, n; err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if n == 0 {
			parquet.Release(v.page)
			v.page, v.from = nil, nil
		}
	}
	v.i++
	return &v.buffer[v.i-1], nil
}

// without tells that the statistics of a row group exclude that a row meets a condition on a column of text or of
// integers.
func (f *File) without(group int, c Condition) bool {
	leaf, ok := f.file.Schema().Lookup(c.Column)
	if !ok {
		return false
	}
	s := f.file.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData.Statistics
	if s.MinValue == nil || s.MaxValue == nil {
		return false
	}
	t := leaf.Node.Type()
	logical := format.LogicalTypeValue(nil)
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch _, text := logical.(*format.StringType); {
	case text && t.Kind() == parquet.ByteArray:
		value := []byte(c.Value)
		return bytes.Compare(value, s.MinValue) < 0 || bytes.Compare(value, s.MaxValue) > 0
	case logical != nil || t.Kind() != parquet.Int32 && t.Kind() != parquet.Int64 || len(s.MinValue) != len(s.MaxValue):
		return false
	}
	n, err := strconv.ParseInt(c.Value, 10, 64)
	if err != nil {
		return true
	}
	lo, hi := t.Kind().Value(s.MinValue), t.Kind().Value(s.MaxValue)
	if t.Kind() == parquet.Int32 {
		return n < int64(lo.Int32()) || n > int64(hi.Int32())
	}
	return n < lo.Int64() || n > hi.Int64()
}
