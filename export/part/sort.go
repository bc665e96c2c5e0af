package part

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sort"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
	"textmill/ground/counted"
)

// byRecord is the order of rows in a compacted part.
var byRecord = parquet.SortingColumns(parquet.Ascending("record_id"), parquet.Ascending("chunk"))

// Sorter gathers rows of parts of one shape in sorted runs, which Copy.Merge then makes one part of. It holds one run
// in memory.
type Sorter struct {
	w      *parquet.GenericWriter[any]
	run    *parquet.Buffer
	limit  int64
	held   int64 // bytes in the run, about
	rows   int64
	sum    Sum
	more   *appended
	broken error
}

// Sum tells whether two bags of rows are the same, whatever their order.
type Sum struct {
	seed maphash.Seed
	rows uint64
	all  uint64
}

// NewSum begins one that other sums can be compared with.
func NewSum() Sum { return Sum{seed: maphash.MakeSeed()} }

// Empty is a sum of no rows that can be compared with this one.
func (s Sum) Empty() Sum { return Sum{seed: s.seed} }

func (s *Sum) add(row parquet.Row) {
	var h maphash.Hash
	h.SetSeed(s.seed)
	var b [16]byte
	for i := range row {
		v := &row[i]
		if v.IsNull() && v.RepetitionLevel() == 0 && v.DefinitionLevel() == 0 {
			continue // the many columns that are null
		}
		binary.LittleEndian.PutUint32(b[:], uint32(v.Column()))
		b[4], b[5] = byte(v.RepetitionLevel()), byte(v.DefinitionLevel())
		_, _ = h.Write(b[:6]) // never fails
		if v.IsNull() {
			continue
		}
		switch v.Kind() {
		case parquet.ByteArray, parquet.FixedLenByteArray, parquet.Int96:
			text := v.Bytes()
			binary.LittleEndian.PutUint64(b[:], uint64(len(text)))
			_, _ = h.Write(b[:8])
			_, _ = h.Write(text)
		default:
			binary.LittleEndian.PutUint64(b[:], v.Uint64())
			_, _ = h.Write(b[:8])
		}
	}
	s.rows++
	s.all += h.Sum64()
}

// NewSorter writes its runs to w.
func NewSorter(w io.Writer, like *Source, o Options, sum Sum) (s *Sorter, err error) {
	defer func() { damaged(recover(), &err) }()
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	more, err := lacking(like.file.Schema(), o.Constants)
	if err != nil {
		return nil, err
	}
	schema := more.schema(like)
	return &Sorter{
		more: more,
		w:    parquet.NewGenericWriter[any](&counted.Writer{W: w}, append(writerOptions(), schema)...),
		run:  parquet.NewBuffer(schema, parquet.SortingRowGroupConfig(byRecord)), limit: o.RowGroupBytes, sum: sum,
	}, nil
}

// Take gathers those rows of a source that keep wants.
func (s *Sorter) Take(ctx context.Context, src *Source, keep func(row int64) bool) (err error) {
	if s.broken != nil {
		return s.broken
	}
	defer func() {
		damaged(recover(), &err)
		s.broken = err
	}()
	at := int64(0)
	return src.each(ctx, func(row parquet.Row) error {
		at++
		if !keep(at - 1) {
			return nil
		}
		row = s.more.to(row)
		s.sum.add(row)
		s.held += sizeOf(row)
		s.rows++
		if _, err := s.run.WriteRows([]parquet.Row{row}); err != nil || s.held < s.limit {
			return err
		}
		return s.flush()
	})
}

func (s *Sorter) flush() error {
	if s.run.NumRows() == 0 {
		return nil
	}
	sort.Stable(s.run)
	rows := s.run.Rows()
	_, err := parquet.CopyRows(s.w, rows)
	if err = errors.Join(err, rows.Close()); err == nil {
		err = s.w.Flush()
	}
	s.run.Reset()
	s.held = 0
	return err
}

// Rows is how many rows were gathered.
func (s *Sorter) Rows() int64 { return s.rows }

// Sum is that of the rows gathered.
func (s *Sorter) Sum() Sum { return s.sum }

// Close completes the runs.
func (s *Sorter) Close() (err error) {
	if s.broken != nil {
		return s.broken
	}
	defer func() { damaged(recover(), &err) }()
	if err := s.flush(); err != nil {
		return err
	}
	return s.w.Close()
}

// each calls use with all rows of the part; what it gets is valid only during the call.
func (s *Source) each(ctx context.Context, use func(parquet.Row) error) error {
	if err := pages.CheckAll(s.r, s.file, nil, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	n := int64(0)
	for _, g := range s.file.RowGroups() {
		rows := g.Rows()
		err := eachRow(ctx, rows, func(row parquet.Row) error {
			n++
			return use(row)
		})
		if err = errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	if n != s.file.NumRows() {
		return fmt.Errorf("%w: the footer says %d rows, the file has %d", ErrDamaged, s.file.NumRows(), n)
	}
	return nil
}

func eachRow(ctx context.Context, rows parquet.RowReader, use func(parquet.Row) error) error {
	buffer := make([]parquet.Row, 64)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			if err := use(row); err != nil {
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

// Add takes all rows of the part into a sum.
func (s *Source) Add(ctx context.Context, sum *Sum) (err error) {
	defer func() { damaged(recover(), &err) }()
	return s.each(ctx, func(row parquet.Row) error {
		sum.add(row)
		return nil
	})
}
