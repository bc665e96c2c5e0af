package part

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"textmill/export/internal/footer"
	"textmill/export/internal/pages"
)

// ErrDamaged is the class of part files that cannot be read.
var ErrDamaged = errors.New("part is damaged")

// Footer is what a part's footer says.
type Footer struct {
	Rows      int64
	Kind      Embedding
	RowGroups int
	Metadata  map[string]string
}

// Reader reads a part's rows in order.
type Reader struct {
	r    io.ReaderAt
	file *parquet.File
	kind Embedding

	task, model string // of all rows, where the file lacks the column
}

// Fill says what the log has for columns that the file may lack, since the table is partitioned by them.
func (r *Reader) Fill(partition map[string]*string) {
	r.task, r.model = value(partition["task"]), value(partition["model"])
}

// openFile reads the footer of the part in r.
func openFile(r io.ReaderAt, size int64) (*parquet.File, error) {
	if err := footer.Check(r, size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return f, nil
}

// Open reads the footer of the part in r and checks its columns.
func Open(r io.ReaderAt, size int64) (pr *Reader, err error) {
	defer func() { damaged(recover(), &err) }()
	f, err := openFile(r, size)
	if err != nil {
		return nil, err
	}
	for _, kind := range []Embedding{Float32, Int8, Int16} {
		if err = sameColumns(schemaOf(kind), f.Schema()); err == nil {
			return &Reader{r: r, file: f, kind: kind}, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// damaged turns a panic of the Parquet library, which it has for some damaged files, into the error that it means.
func damaged(panicked any, err *error) {
	if panicked != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, panicked)
	}
}

func schemaOf(kind Embedding) *parquet.Schema {
	switch kind {
	case Int8:
		return parquet.SchemaOf(new(record[int8]))
	case Int16:
		return parquet.SchemaOf(new(record[int16]))
	}
	return parquet.SchemaOf(new(record[float32]))
}

// sameColumns compares names, physical and logical types, as other tools may name lists' inner fields otherwise. A
// file that another tool rewrote may have columns beside ours, and in another order.
func sameColumns(want, got *parquet.Schema) error {
	w, g := leavesByColumn(want), leavesByColumn(got)
	for _, field := range want.Fields() {
		name := field.Name()
		if len(g[name]) == 0 && (slices.Contains(younger, name) || slices.Contains(partitionable, name)) {
			continue
		}
		if len(w[name]) != len(g[name]) {
			return fmt.Errorf("column %s has %d leaves, not %d", name, len(g[name]), len(w[name]))
		}
		for i, a := range w[name] {
			b := g[name][i]
			if a.Node.Type().Kind() != b.Node.Type().Kind() || bits(a.Node) != bits(b.Node) {
				return fmt.Errorf("column %s is %s, not %s", name, b.Node.Type(), a.Node.Type())
			}
		}
	}
	return nil
}

// partitionable are columns that other tools leave out of files where the table is partitioned by them: the log has
// their values.
var partitionable = []string{"task", "model"}

func leavesByColumn(s *parquet.Schema) map[string][]parquet.LeafColumn {
	all := map[string][]parquet.LeafColumn{}
	for _, path := range s.Columns() {
		if leaf, ok := s.Lookup(path...); ok {
			all[path[0]] = append(all[path[0]], leaf)
		}
	}
	return all
}

// bits is an integer's width, 32 where an INT32 has no logical type, and 0 for what is no small integer.
func bits(n parquet.Node) int8 {
	if n.Type().Kind() != parquet.Int32 {
		return 0
	}
	if lt := n.Type().LogicalType(); lt != nil {
		if i, ok := lt.Value.(*format.IntType); ok {
			return i.BitWidth
		}
	}
	return 32
}

// Footer tells what the footer says.
func (r *Reader) Footer() Footer {
	f := Footer{Rows: r.file.NumRows(), Kind: r.kind, RowGroups: len(r.file.RowGroups()), Metadata: map[string]string{}}
	for _, kv := range r.file.Metadata().KeyValueMetadata {
		f.Metadata[kv.Key] = kv.Value
	}
	return f
}

// Rows calls each with all rows in order, some at a time; what it gets is valid only during the call.
func (r *Reader) Rows(ctx context.Context, each func([]Row) error) (err error) {
	calling := false // the caller's panics are no damage
	defer func() {
		if !calling {
			damaged(recover(), &err)
		}
	}()
	call := func(rows []Row) error {
		calling = true
		err := each(rows)
		calling = false
		return err
	}
	if err := pages.CheckAll(r.r, r.file, nil, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	each = r.filled(each)
	switch r.kind {
	case Int8:
		return readRows[int8](ctx, r.file, call)
	case Int16:
		return readRows[int16](ctx, r.file, call)
	}
	return readRows[float32](ctx, r.file, call)
}

// filled gives rows what the file lacks.
func (r *Reader) filled(each func([]Row) error) func([]Row) error {
	if r.task == "" && r.model == "" {
		return each
	}
	return func(rows []Row) error {
		for i := range rows {
			rows[i].Task = cmp.Or(rows[i].Task, r.task)
			rows[i].Model = cmp.Or(rows[i].Model, r.model)
		}
		return each(rows)
	}
}

func readRows[E float32 | int8 | int16](ctx context.Context, f *parquet.File, each func([]Row) error) error {
	pr := parquet.NewGenericReader[record[E]](f)
	defer pr.Close()
	records := make([]record[E], 64)
	rows := make([]Row, 0, len(records))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(records) // decoded slices are the rows' own
		n, err := pr.Read(records)
		rows = rows[:0]
		for i := range records[:n] {
			rows = append(rows, toRow(&records[i]))
		}
		if n > 0 {
			if err := each(rows); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
}
