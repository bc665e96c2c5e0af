package generate

import (
	"errors"
	"math/rand/v2"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/internal/onnx"
)

// states are what slots hold beside their caches: of one size, made anew by every run out of what it was. A run puts
// them beside the old ones, which they replace once it has succeeded, and only those of slots that took part in it: so
// a run that fails, and one in which a slot is idle, leave all as it was.
type states struct {
	of     []models.State
	held   [][]float32 // [slots, size] of each
	made   [][]float32 // by the run, from its first row on
	past   map[[2]int][]ort.Value
	future map[int][]ort.Value
}

func newStates(d *models.Decoder, slots int) *states {
	s := &states{of: d.States, past: map[[2]int][]ort.Value{}, future: map[int][]ort.Value{}}
	for _, state := range s.of {
		s.held = append(s.held, make([]float32, slots*state.Size()))
		s.made = append(s.made, make([]float32, slots*state.Size()))
	}
	return s
}

// tensors are those of n slots from first on: what they hold, and where a run puts what they will.
func (s *states) tensors(first, n int) (past, future []ort.Value, err error) {
	past, have := s.past[[2]int{first, n}]
	if !have {
		if past, err = s.views(s.held, first, n); err != nil {
			return nil, nil, err
		}
		s.past[[2]int{first, n}] = past
	}
	if future, have = s.future[n]; !have {
		if future, err = s.views(s.made, 0, n); err != nil {
			return nil, nil, err
		}
		s.future[n] = future
	}
	return past, future, nil
}

func (s *states) views(memory [][]float32, first, n int) ([]ort.Value, error) {
	var values []ort.Value
	for i, state := range s.of {
		v, err := tensor(state.Shape(n), memory[i][first*state.Size():(first+n)*state.Size()])
		if err != nil {
			return nil, errors.Join(err, onnx.Destroy(values...))
		}
		values = append(values, v)
	}
	return values, nil
}

// keep has a slot hold what a row of the last run came to.
func (s *states) keep(slot, row int) {
	for i, state := range s.of {
		n := state.Size()
		copy(s.held[i][slot*n:(slot+1)*n], s.made[i][row*n:(row+1)*n])
	}
}

func (s *states) move(to, from int) {
	for i, state := range s.of {
		n := state.Size()
		copy(s.held[i][to*n:(to+1)*n], s.held[i][from*n:(from+1)*n])
	}
}

// draw fills a slot with any numbers.
func (s *states) draw(r *rand.Rand, slot int) {
	for i, state := range s.of {
		n := state.Size()
		line := s.held[i][slot*n : (slot+1)*n]
		for j := range line {
			line[j] = 2*r.Float32() - 1
		}
	}
}

func (s *states) close() (err error) {
	for _, v := range s.past {
		err = errors.Join(err, onnx.Destroy(v...))
	}
	for _, v := range s.future {
		err = errors.Join(err, onnx.Destroy(v...))
	}
	return err
}
