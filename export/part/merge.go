package part

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
)

// TakeSorted copies the rows of a Sorter's runs in their order.
func (c *Copy) TakeSorted(ctx context.Context, runs *Source) (err error) {
	if c.broken != nil {
		return c.broken
	}
	defer func() {
		damaged(recover(), &err)
		c.broken = err
	}()
	if err := pages.CheckAll(runs.r, runs.file, nil, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m, err := openMerge(runs)
	defer func() { err = errors.Join(err, m.close()) }()
	for n := 0; err == nil && len(m.heads) > 0; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err = c.write(m.heads[0].row()); err == nil {
			err = m.next()
		}
	}
	return err
}

// merge goes through several sorted runs as if they were one. The library's own merge hands out rows whose memory it
// has given back.
type merge struct {
	id, chunk int // their leaf columns, -1 for none
	heads     []*run
	all       []*run
}

// run is one sorted run, at one of its rows.
type run struct {
	rows   parquet.Rows
	buffer [64]parquet.Row
	n, i   int
	id     []byte // of the row
	chunk  int32
}

func (r *run) row() parquet.Row { return r.buffer[r.i] }

func openMerge(runs *Source) (*merge, error) {
	m := &merge{id: -1, chunk: -1}
	if leaf, ok := runs.file.Schema().Lookup("record_id"); ok {
		m.id = leaf.ColumnIndex
	}
	if leaf, ok := runs.file.Schema().Lookup("chunk"); ok {
		m.chunk = leaf.ColumnIndex
	}
	for _, g := range runs.file.RowGroups() {
		r := &run{rows: g.Rows()}
		m.all = append(m.all, r)
		more, err := m.fill(r)
		if err != nil {
			return m, err
		}
		if more {
			m.heads = append(m.heads, r)
		}
	}
	heap.Init(m)
	return m, nil
}

func (m *merge) close() (err error) {
	for _, r := range m.all {
		err = errors.Join(err, r.rows.Close())
	}
	return err
}

// next goes on to the row after the first.
func (m *merge) next() error {
	r := m.heads[0]
	r.i++
	more, err := m.fill(r)
	if more {
		heap.Fix(m, 0)
	} else {
		heap.Pop(m)
	}
	return err
}

// fill has a run be at a row; false at its end.
func (m *merge) fill(r *run) (bool, error) {
	for r.i == r.n {
		n, err := r.rows.ReadRows(r.buffer[:])
		r.i, r.n = 0, n
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err != nil && n == 0 {
			return false, nil
		}
	}
	r.id, r.chunk = nil, 0
	for _, v := range r.row() {
		switch {
		case v.IsNull():
		case v.Column() == m.id:
			r.id = v.ByteArray()
		case v.Column() == m.chunk:
			r.chunk = v.Int32()
		}
	}
	return true, nil
}

// The heap's.
func (m *merge) Len() int      { return len(m.heads) }
func (m *merge) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merge) Push(any)      {} // nothing is added
func (m *merge) Less(i, j int) bool {
	a, b := m.heads[i], m.heads[j]
	return cmp.Or(bytes.Compare(a.id, b.id), cmp.Compare(a.chunk, b.chunk)) < 0
}

func (m *merge) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}
