package scan

import (
	"errors"
	"fmt"
)

// assembly puts vectors together value by value, where pages have nulls among them or cut one in two.
type assembly struct {
	leaf   leaf
	length int
	each   func(*Block) error
	row    int32 // the one whose values come; -1 before the first
	open   int   // of how many values of it are there already
	rows   []int32
	floats []float32
	ints   []int32
}

// add takes the levels of a page, and its values, of which either kind may be nil.
func (a *assembly) add(repetition, definition []byte, floats []float32, ints []int32) error {
	values := 0
	for i, d := range definition {
		if repetition[i] == 0 {
			if err := a.end(); err != nil {
				return err
			}
			if len(a.floats)+len(a.ints) >= blockValues {
				if err := a.flush(); err != nil {
					return err
				}
			}
			a.row++
		}
		switch {
		case d == a.leaf.present && a.row < 0:
			return errors.New("the first page begins amid a row")
		case d == a.leaf.present && values < len(floats):
			a.floats = append(a.floats, floats[values])
		case d == a.leaf.present && values < len(ints):
			a.ints = append(a.ints, ints[values])
		case d == a.leaf.present:
			return errors.New("a page has fewer values than levels")
		case d >= a.leaf.entry:
			return fmt.Errorf("row %d has a null in its vector", a.row)
		default:
			continue
		}
		values++
		a.open++
	}
	return nil
}

// end ends the vector of the row that was under way.
func (a *assembly) end() error {
	if a.open == 0 {
		return nil // it has none
	}
	if a.open != a.length {
		return fmt.Errorf("row %d has a vector of %d values, the table's have %d", a.row, a.open, a.length)
	}
	a.rows = append(a.rows, a.row)
	a.open = 0
	return nil
}

// flush hands on what was put together.
func (a *assembly) flush() error {
	b := Block{Rows: a.rows, Floats: a.floats, Ints: a.ints}
	a.rows, a.floats, a.ints = a.rows[:0], a.floats[:0], a.ints[:0]
	return a.each(&b)
}
