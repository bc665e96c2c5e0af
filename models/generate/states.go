package generate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/unix"

	"textmill/models"
	"textmill/models/internal/onnx"
)

// states are what slots hold beside their caches, outside of Go's heap: of one size, made anew by every run out of
// what it was. There is room for each twice. A run reads one side and writes the other, which counts from then on for
// the slots that took part in it, once it has succeeded: so a run that fails, and one in which a slot is idle, leave
// all as it was, and nothing is copied where slots go on together.
type states struct {
	of     []models.State
	memory []byte
	sides  [2][][]float32 // [slots, size] of each
	at     []int          // by slot, the side that counts
	views  map[[3]int][]ort.Value
}

func newStates(d *models.Decoder, slots int) (*states, error) {
	s := &states{of: d.States, at: make([]int, slots), views: map[[3]int][]ort.Value{}}
	bytes := 2 * slots * int(d.StateBytes())
	if bytes == 0 {
		return s, nil
	}
	var err error
	if s.memory, err = unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE); err != nil {
		return nil, fmt.Errorf("reserve %d MiB of addresses for the states of %d slots: %w; lower slots", bytes>>20, slots,
			err)
	}
	rest := unsafe.Slice((*float32)(unsafe.Pointer(&s.memory[0])), bytes/4)
	for side := range s.sides {
		for _, state := range s.of {
			n := slots * state.Size()
			s.sides[side] = append(s.sides[side], rest[:n:n])
			rest = rest[n:]
		}
	}
	return s, nil
}

// tensors are those of n slots from first on: what they hold, and where a run puts what they will.
func (s *states) tensors(first, n int) (past, future []ort.Value, err error) {
	other := 0 // slots on the second side
	for _, side := range s.at[first : first+n] {
		other += side
	}
	side := 0
	if 2*other > n {
		side = 1
	}
	for slot := first; slot < first+n; slot++ {
		if s.at[slot] != side {
			s.copy(slot, side, slot)
		}
	}
	if past, err = s.view(side, first, n); err != nil {
		return nil, nil, err
	}
	future, err = s.view(1-side, first, n)
	return past, future, err
}

// view is the tensors of some slots on one side, made once.
func (s *states) view(side, first, n int) ([]ort.Value, error) {
	key := [3]int{side, first, n}
	if v, ok := s.views[key]; ok {
		return v, nil
	}
	var values []ort.Value
	for i, state := range s.of {
		v, err := tensor(state.Shape(n), s.sides[side][i][first*state.Size():(first+n)*state.Size()])
		if err != nil {
			return nil, errors.Join(err, onnx.Destroy(values...))
		}
		values = append(values, v)
	}
	s.views[key] = values
	return values, nil
}

// keep has a slot hold what the last run made of it.
func (s *states) keep(slot int) { s.at[slot] = 1 - s.at[slot] }

// copy puts what a slot holds on one side of another, or of itself.
func (s *states) copy(to, side, from int) {
	for i, state := range s.of {
		n := state.Size()
		copy(s.sides[side][i][to*n:(to+1)*n], s.sides[s.at[from]][i][from*n:(from+1)*n])
	}
	s.at[to] = side
}

func (s *states) move(to, from int) { s.copy(to, s.at[from], from) }

// draw fills a slot with any numbers.
func (s *states) draw(r *rand.Rand, slot int) {
	for i, state := range s.of {
		n := state.Size()
		line := s.sides[s.at[slot]][i][slot*n : (slot+1)*n]
		for j := range line {
			line[j] = 2*r.Float32() - 1
		}
	}
}

func (s *states) close() (err error) {
	for _, v := range s.views {
		err = errors.Join(err, onnx.Destroy(v...))
	}
	if s.memory == nil {
		return err
	}
	return errors.Join(err, unix.Munmap(s.memory))
}
