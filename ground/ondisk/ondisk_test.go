package ondisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// Items come in the order of their keys, equal ones as they came, however few fit into memory, and as often as one
// asks.
func TestSortsMoreThanItsMemory(t *testing.T) {
	for _, memory := range []int{1, 400, 5_000, 1 << 20} {
		rng := rand.New(rand.NewPCG(uint64(memory), 1))
		s, err := NewSorter(t.TempDir(), memory)
		if err != nil {
			t.Fatal(err)
		}
		type item struct{ key, value string }
		var want []item
		for i := range 2000 {
			it := item{fmt.Sprint(rng.IntN(700)), fmt.Sprintf("%d %s", i, bytes.Repeat([]byte("x"), rng.IntN(40)))}
			if rng.IntN(50) == 0 {
				it.key = ""
			}
			want = append(want, it)
			if err := s.Add([]byte(it.key), []byte(it.value)[:1], []byte(it.value)[1:]); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b item) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
		for range 2 {
			c, err := s.Sorted()
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				key, value, err := c.Next()
				if err != nil || string(key) != w.key || string(value) != w.value {
					t.Fatalf("memory %d, item %d: %q %q, %v; want %v", memory, i, key, value, err, w)
				}
			}
			if _, _, err := c.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last: %v", err)
			}
		}
		if s.Len() != 2000 {
			t.Errorf("%d items", s.Len())
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestListKeepsItsOrder(t *testing.T) {
	l, err := NewList(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := l.Add([]byte(fmt.Sprint(i)), nil, []byte("!")); err != nil {
			t.Fatal(err)
		}
		if i%400 != 399 {
			continue
		}
		n := 0
		err := l.Each(func(item []byte) error {
			if want := fmt.Sprintf("%d!", n); string(item) != want {
				t.Fatalf("item %d is %q", n, item)
			}
			n++
			return nil
		})
		if err != nil || n != i+1 {
			t.Errorf("%d items of %d, %v", n, i+1, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
