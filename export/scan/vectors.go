package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// Block is some vectors of a row group, in the order of its rows. It is valid only during the call that gets it.
type Block struct {
	Rows   []int32   // whose vectors they are, counted in the row group
	Floats []float32 // the vectors end to end, of a table of floats
	Ints   []int32   // or of one of small integers
}

// Scanner reads vectors and reuses the memory that this takes. It is for one goroutine at a time.
type Scanner struct {
	piece  piece
	block  Block
	floats []float32 // of pages with a dictionary
	ints   []int32
	rest   assembly
}

// blockValues is about how many values make a block where vectors are put together one by one.
const blockValues = 1 << 16

// Vectors calls each with all vectors of a row group that are not null. One that has another length, or a null in it,
// is an error.
func (s *Scanner) Vectors(ctx context.Context, f *File, group, length int, each func(*Block) error) (err error) {
	calling := false // the caller's panics are no damage, nor are its errors
	defer func() {
		if !calling {
			damaged(recover(), &err)
		}
	}()
	call := func(b *Block) error {
		if len(b.Rows) == 0 {
			return nil
		}
		calling = true
		if err := each(b); err != nil {
			return err
		}
		calling = false
		return nil
	}
	all, err := s.load(f, group)
	if err != nil {
		return err
	}
	defer all.Close()
	s.rest = assembly{leaf: f.vectors, length: length, row: -1, each: call, floats: s.rest.floats[:0],
		ints: s.rest.ints[:0], rows: s.rest.rows[:0]}
	for {
		if err := ctx.Err(); err != nil {
			calling = true
			return context.Cause(ctx)
		}
		page, err := all.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("row group %d: %w", group, err)
		}
		err = s.page(page, length, call)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
	if err := s.rest.end(); err != nil {
		return err
	}
	if rows := f.file.RowGroups()[group].NumRows(); int64(s.rest.row+1) != rows {
		return fmt.Errorf("column embedding of row group %d has %d rows, not %d", group, s.rest.row+1, rows)
	}
	return s.rest.flush()
}

// load reads the vectors of a row group from the file, in one piece unless they are many.
func (s *Scanner) load(f *File, group int) (*parquet.FilePages, error) {
	meta := f.file.Metadata().RowGroups[group].Columns[f.vectors.column].MetaData
	at := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d != 0 {
		at = d
	}
	if at < 0 || at > f.size || meta.TotalCompressedSize > f.size-at {
		return nil, errors.New("column embedding lies outside the file")
	}
	if err := s.piece.load(f.r, at, meta.TotalCompressedSize); err != nil {
		return nil, err
	}
	return f.open(&s.piece, group, f.vectors.column)
}

// page hands a page on as it lies in memory where it is nothing but whole vectors, as nearly all of ours are.
func (s *Scanner) page(page parquet.Page, length int, each func(*Block) error) error {
	floats, ints, err := s.values(page)
	if err != nil {
		return err
	}
	repetition, definition := page.RepetitionLevels(), page.DefinitionLevels()
	if len(repetition) != len(definition) {
		return fmt.Errorf("a page has %d repetition levels and %d definition levels", len(repetition), len(definition))
	}
	if n := len(repetition) / length; whole(repetition, definition, length, s.rest.leaf.present) &&
		len(floats)+len(ints) == n*length {
		if err := errors.Join(s.rest.end(), s.rest.flush()); err != nil {
			return err
		}
		s.block.Rows = s.block.Rows[:0]
		for i := range n {
			s.block.Rows = append(s.block.Rows, s.rest.row+1+int32(i))
		}
		s.rest.row += int32(n)
		s.block.Floats, s.block.Ints = floats, ints
		return each(&s.block)
	}
	return s.rest.add(repetition, definition, floats, ints)
}

// whole tells whether the levels are those of vectors of a length, one after the other.
func whole(repetition, definition []byte, length int, present byte) bool {
	n := len(repetition) / length
	if n*length != len(repetition) || bytes.Count(repetition, []byte{0}) != n ||
		bytes.Count(definition, []byte{present}) != len(definition) {
		return false
	}
	for i := 0; i < len(repetition); i += length {
		if repetition[i] != 0 {
			return false
		}
	}
	return true
}

// values are those of a page that are not null.
func (s *Scanner) values(page parquet.Page) (floats []float32, ints []int32, err error) {
	dictionary := page.Dictionary()
	data := page.Data()
	isFloat := s.rest.leaf.kind == parquet.Float
	switch {
	case dictionary == nil && isFloat:
		return data.Float(), nil, nil
	case dictionary == nil:
		return nil, data.Int32(), nil
	case isFloat:
		entries := dictionary.Page().Data()
		s.floats, err = lookup(s.floats, entries.Float(), data.Int32())
		return s.floats, nil, err
	}
	entries := dictionary.Page().Data()
	s.ints, err = lookup(s.ints, entries.Int32(), data.Int32())
	return nil, s.ints, err
}

func lookup[T any](to, dictionary []T, indexes []int32) ([]T, error) {
	to = slices.Grow(to[:0], len(indexes))[:len(indexes)]
	for k, i := range indexes {
		if uint(i) >= uint(len(dictionary)) {
			return to, fmt.Errorf("a page names entry %d of a dictionary of %d", i, len(dictionary))
		}
		to[k] = dictionary[i]
	}
	return to, nil
}
