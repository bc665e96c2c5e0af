package ondisk

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Sorter puts items into the order of their keys, byte by byte; equal keys stay as they came. What does not fit into
// its memory goes into a file, in runs that are merged when they are read.
type Sorter struct {
	list   *List
	budget int
	arena  []byte // keys and values of the run at hand
	items  []span
	runs   []int64 // where each ends
}

// span is where an item lies in the arena.
type span struct{ at, key, value int }

// spanBytes is about what an item takes beside its bytes.
const spanBytes = 24

// buffers bounds what all runs together are read through.
const buffers = 16 << 20

// NewSorter sorts in so many bytes of memory, with files below a directory; "" is the system's for temporary files.
func NewSorter(dir string, memory int) (*Sorter, error) {
	list, err := NewList(dir)
	if err != nil {
		return nil, err
	}
	return &Sorter{list: list, budget: memory}, nil
}

// Len is how many items there are.
func (s *Sorter) Len() int64 { return s.list.Len() + int64(len(s.items)) }

// Close gives the file's space back.
func (s *Sorter) Close() error {
	if s == nil {
		return nil
	}
	return s.list.Close()
}

// Add takes an item, which the caller may use again.
func (s *Sorter) Add(key []byte, value ...[]byte) error {
	at := len(s.arena)
	s.arena = append(s.arena, key...)
	for _, v := range value {
		s.arena = append(s.arena, v...)
	}
	s.items = append(s.items, span{at, len(key), len(s.arena) - at - len(key)})
	if len(s.arena)+spanBytes*len(s.items) < s.budget {
		return nil
	}
	return s.spill()
}

func (s *Sorter) key(i span) []byte { return s.arena[i.at : i.at+i.key] }

// spill writes the items in memory to the file, sorted.
func (s *Sorter) spill() error {
	if len(s.items) == 0 {
		return nil
	}
	slices.SortStableFunc(s.items, func(a, b span) int { return bytes.Compare(s.key(a), s.key(b)) })
	var head [binary.MaxVarintLen64]byte
	for _, i := range s.items {
		n := binary.PutUvarint(head[:], uint64(i.key))
		if err := s.list.Add(head[:n], s.arena[i.at:i.at+i.key+i.value]); err != nil {
			return err
		}
	}
	s.runs = append(s.runs, s.list.end)
	s.items, s.arena = s.items[:0], s.arena[:0]
	return nil
}

// Sorted ends the adding. It may be called again for another go through all items.
func (s *Sorter) Sorted() (*Cursor, error) {
	err := s.spill()
	s.items, s.arena = nil, nil
	if err == nil {
		err = s.list.w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("write to a temporary file: %w", err)
	}
	c := &Cursor{}
	buffer := min(max(buffers/max(len(s.runs), 1), 4<<10), 256<<10)
	from := int64(0)
	for n, end := range s.runs {
		r := &run{r: s.list.reader(from, end, buffer), n: n}
		from = end
		if err := r.step(); err != nil {
			return nil, err
		}
		c.runs = append(c.runs, r)
	}
	heap.Init(&c.runs)
	return c, nil
}

// Cursor goes through sorted items.
type Cursor struct {
	runs  merge
	begun bool
}

// Next is io.EOF after the last item; what it gives is valid until the next call.
func (c *Cursor) Next() (key, value []byte, err error) {
	if c.begun && len(c.runs) > 0 {
		switch err := c.runs[0].step(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&c.runs)
		case err != nil:
			return nil, nil, err
		default:
			heap.Fix(&c.runs, 0)
		}
	}
	c.begun = true
	if len(c.runs) == 0 {
		return nil, nil, io.EOF
	}
	return c.runs[0].key, c.runs[0].value, nil
}

// run is one sorted stretch of the file.
type run struct {
	r          *reader
	n          int
	key, value []byte
}

func (r *run) step() error {
	item, err := r.r.next()
	if err != nil {
		return err
	}
	size, n := binary.Uvarint(item)
	if n <= 0 || uint64(len(item)-n) < size {
		return fmt.Errorf("read a temporary file back: %w", io.ErrUnexpectedEOF)
	}
	r.key, r.value = item[n:n+int(size)], item[n+int(size):]
	return nil
}

// merge is a heap of runs by their first items.
type merge []*run

func (m merge) Len() int { return len(m) }
func (m merge) Less(i, j int) bool {
	c := bytes.Compare(m[i].key, m[j].key)
	return c < 0 || c == 0 && m[i].n < m[j].n
}
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*run)) }
func (m *merge) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}
