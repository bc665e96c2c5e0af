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
}

func newScanner(r io.ReaderAt, size int64) *scanner {
	return &scanner{
		wire:      wire{r: r, size: size, buf: make([]byte, 0, window)},
		graph:     Graph{Weights: map[int32]int64{}},
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

// model reads a ModelProto: graph = 7, functions = 25.
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
		case 25: // FunctionProto: node = 7
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
			return true, s.tensor(end, depth == 0)
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

// node reads a NodeProto: op_type = 4, attribute = 5 (AttributeProto: t = 5, g = 6, graphs = 11).
func (s *scanner) node(end int64, depth int) error {
	return s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 4 && kind == 2:
			name, err := s.text(length)
			s.operators[name] = true
			return true, err
		case number == 5 && kind == 2:
			return true, s.message(s.pos+length, func(number, kind int, length int64) (bool, error) {
				switch {
				case kind == 2 && number == 5:
					return true, s.tensor(s.pos+length, false)
				case kind == 2 && (number == 6 || number == 11):
					return true, s.nested(s.pos+length, depth+1)
				}
				return false, nil
			})
		}
		return false, nil
	})
}

// tensor reads a TensorProto: dims = 1, data_type = 2, name = 8, external_data = 13 (key = 1, value = 2).
func (s *scanner) tensor(end int64, initializer bool) error {
	elements, typ := int64(1), int32(0)
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 0:
			d, err := s.varint()
			elements = product(elements, int64(d))
			return true, err
		case number == 1 && kind == 2:
			for end := s.pos + length; s.pos < end; {
				d, err := s.varint()
				if err != nil {
					return true, err
				}
				elements = product(elements, int64(d))
			}
			return true, nil
		case number == 2 && kind == 0:
			v, err := s.varint()
			typ = int32(v)
			return true, err
		case number == 8 && kind == 2:
			name, err := s.text(length)
			if initializer {
				s.names[name] = true
			}
			return true, err
		case number == 13 && kind == 2:
			return true, s.entry(s.pos + length)
		}
		return false, nil
	})
	s.graph.Weights[typ] += elements
	return err
}

func product(a, b int64) int64 {
	if b < 0 || (b > 0 && a > (1<<40)/b) {
		return 0
	}
	return a * b
}

func (s *scanner) entry(end int64) error {
	var key, value string
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		if kind != 2 || number > 2 {
			return false, nil
		}
		text, err := s.text(length)
		if number == 1 {
			key = text
		} else {
			value = text
		}
		return true, err
	})
	if key == "location" {
		s.external[value] = true
	}
	return err
}
