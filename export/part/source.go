package part

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
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

	Place Place // Places alone tells it
}

// Place is where the message of a row was published: by when its stream was made, in microseconds, and its number
// there. What is not known comes before all that is.
type Place struct{ Stream, Sequence int64 }

// Before says whether a message was published earlier than another.
func (p Place) Before(other Place) bool {
	return p.Stream < other.Stream || p.Stream == other.Stream && p.Sequence < other.Sequence
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

type placed struct {
	RecordID *string `parquet:"record_id,optional"`
	Task     *string `parquet:"task,optional"`
	Sequence *int64  `parquet:"stream_sequence,optional"`
	Stream   *int64  `parquet:"stream_created,optional,timestamp(microsecond:utc)"`
}

var labelColumns = []string{"job", "shard", "record_id", "task", "model", "error", "dim"}

// Labels calls each for every row in order; what it gets is valid only during the call. Attributes are read only where
// they are asked for.
func (s *Source) Labels(ctx context.Context, attributes bool, each func(row int64, l *Label) error) error {
	if attributes {
		return readLabels(ctx, s, append(slices.Clone(labelColumns), "attributes"), func(r *labelWithAttributes) Label {
			l := (&label{r.Job, r.Shard, r.RecordID, r.Task, r.Model, r.Error, r.Dim}).label()
			l.Attributes = r.Attributes
			return l
		}, each)
	}
	return readLabels(ctx, s, labelColumns, (*label).label, each)
}

func (r *label) label() Label {
	return Label{Job: deref(r.Job), Shard: deref(r.Shard), RecordID: deref(r.RecordID), Task: deref(r.Task),
		Model: deref(r.Model), Error: r.Error != nil, Vector: value(r.Dim) > 0}
}

// Places calls each for every row in order with its record, task and place, and reads no other column; what it gets is
// valid only during the call.
func (s *Source) Places(ctx context.Context, each func(row int64, l *Label) error) error {
	columns := []string{"record_id", "task", "stream_sequence", "stream_created"}
	return readLabels(ctx, s, columns, func(r *placed) Label {
		l := Label{RecordID: deref(r.RecordID), Task: deref(r.Task), Place: Place{math.MinInt64, math.MinInt64}}
		if r.Sequence != nil {
			l.Place.Sequence = *r.Sequence
		}
		if r.Stream != nil {
			l.Place.Stream = *r.Stream
		}
		return l
	}, each)
}

func readLabels[T any](ctx context.Context, s *Source, columns []string, of func(*T) Label,
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
			l := of(&records[i])
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
