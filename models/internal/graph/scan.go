package graph

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// maxDepth bounds how deep graphs may nest (If, Loop and Scan carry graphs as attributes).
const maxDepth = 32

type scanner struct {
	wire
	graph     Graph
	operators map[string]bool
	external  map[string]bool
	found     bool            // a graph was seen
	names     map[string]bool // of initializers
	nodes     bool            // nodes and tensors are asked for
}

func newScanner(r io.ReaderAt, size int64) *scanner {
	return &scanner{
		wire:      wire{r: r, size: size, buf: make([]byte, 0, window)},
		graph:     Graph{Weights: map[int32]int64{}, Tensors: map[string]Tensor{}, Says: map[string]string{}},
		operators: map[string]bool{},
		external:  map[string]bool{},
		names:     map[string]bool{},
	}
}

func (s *scanner) finish() *Graph {
	g := s.graph
	g.Operators = slices.Sorted(maps.Keys(s.operators))
	g.External = slices.Sorted(maps.Keys(s.external))
	// Old exports list their initializers as inputs too.
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { return s.names[v.Name] })
	return &g
}

// model reads a ModelProto: graph = 7, metadata_props = 14, functions = 25.
func (s *scanner) model() error {
	if s.size == 0 {
		return fmt.Errorf("%w: it is empty", ErrTruncated)
	}
	err := s.message(s.size, func(number, kind int, length int64) (bool, error) {
		if kind != 2 {
			return false, nil
		}
		switch number {
		case 7:
			s.found = true
			return true, s.nested(s.pos+length, 0)
		case 14:
			return true, s.says(s.pos + length)
		case 25: // FunctionProto: node = 7; its values have names of their own, and nobody asks for them
			defer func(nodes bool) { s.nodes = nodes }(s.nodes)
			s.nodes = false
			return true, s.message(s.pos+length, func(number, kind int, length int64) (bool, error) {
				if number == 7 && kind == 2 {
					return true, s.node(s.pos+length, 1)
				}
				return false, nil
			})
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if !s.found {
		return fmt.Errorf("%w: it holds no graph", ErrNotONNX)
	}
	return nil
}

// maxSays bounds how many keys are kept.
const maxSays = 256

// says reads a StringStringEntryProto: key = 1, value = 2. A long one is left out: it is somebody else's.
func (s *scanner) says(end int64) error {
	var entry [2]string
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		if kind != 2 || number < 1 || number > 2 || length > maxName {
			return false, nil
		}
		var err error
		entry[number-1], err = s.text(length)
		return true, err
	})
	if len(s.graph.Says) < maxSays {
		s.graph.Says[entry[0]] = entry[1]
	}
	return err
}

// nested reads a GraphProto: node = 1, initializer = 5, input = 11, output = 12. Only the outermost has depth 0.
func (s *scanner) nested(end int64, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: graphs nest more than %d deep", ErrNotONNX, maxDepth)
	}
	return s.message(end, func(number, kind int, length int64) (bool, error) {
		if kind != 2 {
			return false, nil
		}
		end := s.pos + length
		switch number {
		case 1:
			return true, s.node(end, depth)
		case 5:
			t, err := s.tensor(end)
			if depth == 0 {
				s.names[t.Name] = true
			}
			s.keep(t, depth)
			return true, err
		case 11, 12:
			if depth > 0 {
				return false, nil
			}
			v, err := s.value(end)
			if number == 11 {
				s.graph.Inputs = append(s.graph.Inputs, v)
			} else {
				s.graph.Outputs = append(s.graph.Outputs, v)
			}
			return true, err
		}
		return false, nil
	})
}

func product(a, b int64) int64 {
	if b < 0 || (b > 0 && a > (1<<40)/b) {
		return 0
	}
	return a * b
}
