package part

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
)

// Source is a part by whomever it was written and whatever columns it has, whose rows can be told apart and copied as
// they are.
type Source struct {
	r    io.ReaderAt
	file *parquet.File
}

// OpenSource reads the footer of the part in r.
func OpenSource(r io.ReaderAt, size int64) (s *Source, err error) {
	defer func() { damaged(recover(), &err) }()
	f, err := openFile(r, size)
	if err != nil {
		return nil, err
	}
	return &Source{r: r, file: f}, nil
}

// Rows is how many rows the part has.
func (s *Source) Rows() int64 { return s.file.NumRows() }

// Shape is the part's columns in words: rows of parts of one shape can be copied into one part.
func (s *Source) Shape() string { return s.file.Schema().String() }

// Label is the columns by which rows are chosen. What is null, or a column that the part has not, is empty.
type Label struct {
	Job, Shard, RecordID, Task, Model string

	Error      bool
	Vector     bool // it has dimensions
	Attributes map[string]string
}

// Fill gives the label what the log has for columns that the file may lack.
func (l *Label) Fill(partition map[string]*string) {
	l.Task, l.Model = cmp.Or(l.Task, value(partition["task"])), cmp.Or(l.Model, value(partition["model"]))
}

// label is the columns of a record that a Label needs; no other is read.
type label struct {
	Job      *string `parquet:"job,optional"`
	Shard    *string `parquet:"shard,optional"`
	RecordID *string `parquet:"record_id,optional"`
	Task     *string `parquet:"task,optional"`
	Model    *string `parquet:"model,optional"`
	Error    *string `parquet:"error,optional"`
	Dim      *int32  `parquet:"dim,optional"`
}

type labelWithAttributes struct {
	Job        *string           `parquet:"job,optional"`
	Shard      *string           `parquet:"shard,optional"`
	RecordID   *string           `parquet:"record_id,optional"`
	Task       *string           `parquet:"task,optional"`
	Model      *string           `parquet:"model,optional"`
	Error      *string           `parquet:"error,optional"`
	Dim        *int32            `parquet:"dim,optional"`
	Attributes map[string]string `parquet:"attributes,optional"`
}

var labelColumns = []string{"job", "shard", "record_id", "task", "model", "error", "dim"}

// Labels calls each for every row in order; what it gets is valid only during the call. Attributes are read only where
// they are asked for.
func (s *Source) Labels(ctx context.Context, attributes bool, each func(row int64, l *Label) error) error {
	if attributes {
		return readLabels(ctx, s, append(slices.Clone(labelColumns), "attributes"),
			func(r *labelWithAttributes) (label, map[string]string) {
				return label{r.Job, r.Shard, r.RecordID, r.Task, r.Model, r.Error, r.Dim}, r.Attributes
			}, each)
	}
	return readLabels(ctx, s, labelColumns,
		func(r *label) (label, map[string]string) { return *r, nil }, each)
}

func readLabels[T any](ctx context.Context, s *Source, columns []string, of func(*T) (label, map[string]string),
	each func(int64, *Label) error) (err error) {
	calling := false // the caller's panics are no damage
	defer func() {
		if !calling {
			damaged(recover(), &err)
		}
	}()
	if err := s.checkColumns(columns); err != nil {
		return err
	}
	pr := parquet.NewGenericReader[T](s.file)
	defer pr.Close()
	records := make([]T, 256)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(records)
		n, err := pr.Read(records)
		for i := range records[:n] {
			r, attributes := of(&records[i])
			l := Label{Job: deref(r.Job), Shard: deref(r.Shard), RecordID: deref(r.RecordID), Task: deref(r.Task),
				Model: deref(r.Model), Error: r.Error != nil, Vector: value(r.Dim) > 0, Attributes: attributes}
			calling = true
			if err := each(at, &l); err != nil {
				return err
			}
			calling = false
			at++
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
}

// checkColumns checks the pages of the named columns that the part has.
func (s *Source) checkColumns(columns []string) error {
	leaves := []int{}
	for _, path := range s.file.Schema().Columns() {
		if leaf, ok := s.file.Schema().Lookup(path...); ok && slices.Contains(columns, path[0]) {
			leaves = append(leaves, leaf.ColumnIndex)
		}
	}
	if err := pages.CheckAll(s.r, s.file, leaves, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}
