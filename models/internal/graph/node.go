package graph

import "strconv"

// node reads a NodeProto: input = 1, output = 2, op_type = 4, attribute = 5.
func (s *scanner) node(end int64, depth int) error {
	n := Node{}
	var value Tensor
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number <= 2 && kind == 2 && s.nodes:
			name, err := s.text(length)
			if number == 1 {
				n.Inputs = append(n.Inputs, name)
			} else {
				n.Outputs = append(n.Outputs, name)
			}
			return true, err
		case number == 4 && kind == 2:
			var err error
			n.Op, err = s.text(length)
			s.operators[n.Op] = true
			return true, err
		case number == 5 && kind == 2:
			return true, s.attribute(s.pos+length, depth, &n, &value)
		}
		return false, nil
	})
	if err != nil || !s.nodes {
		return err
	}
	if n.Op == "Constant" && len(n.Outputs) == 1 {
		value.Name = n.Outputs[0]
		s.keep(value, depth)
	}
	s.graph.Nodes = append(s.graph.Nodes, n)
	return nil
}

// attribute reads an AttributeProto: name = 1, i = 3, t = 5, g = 6, graphs = 11.
func (s *scanner) attribute(end int64, depth int, n *Node, value *Tensor) error {
	var name string
	var integer *int64
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 2 && s.nodes:
			var err error
			name, err = s.text(length)
			return true, err
		case number == 3 && kind == 0:
			v, err := s.varint()
			i := int64(v)
			integer = &i
			return true, err
		case number == 5 && kind == 2:
			var err error
			*value, err = s.tensor(s.pos + length)
			return true, err
		case kind == 2 && (number == 6 || number == 11):
			return true, s.nested(s.pos+length, depth+1)
		}
		return false, nil
	})
	if integer != nil && s.nodes {
		if n.Ints == nil {
			n.Ints = map[string]int64{}
		}
		n.Ints[name] = *integer
	}
	return err
}

// keep files a tensor under its name. An outer graph's goes before a nested one's, which its own graph alone can see.
func (s *scanner) keep(t Tensor, depth int) {
	if _, known := s.graph.Tensors[t.Name]; s.nodes && t.Name != "" && (depth == 0 || !known) {
		s.graph.Tensors[t.Name] = t
	}
}

// mostSpelled bounds, in bytes of the file, values that are kept in memory.
const mostSpelled = 1 << 20

// tensor reads a TensorProto: dims = 1, data_type = 2, float_data = 4, int32_data = 5, name = 8, raw_data = 9,
// external_data = 13.
func (s *scanner) tensor(end int64) (Tensor, error) {
	t := Tensor{}
	elements := int64(1)
	dim := func() error {
		d, err := s.varint()
		elements = product(elements, int64(d))
		if s.nodes {
			t.Dims = append(t.Dims, int64(d))
		}
		return err
	}
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 0:
			return true, dim()
		case number == 1 && kind == 2:
			for end := s.pos + length; s.pos < end; {
				if err := dim(); err != nil {
					return true, err
				}
			}
			return true, nil
		case number == 2 && kind == 0:
			v, err := s.varint()
			t.Type = int32(v)
			return true, err
		case number == 8 && kind == 2:
			var err error
			t.Name, err = s.text(length)
			return true, err
		case (number == 4 || number == 9) && kind == 2: // a field of packed floats is little-endian too
			t.Offset, t.Length, t.Raw = s.pos, length, true
			return false, nil
		case number == 5 && kind == 2 && s.nodes && length <= mostSpelled:
			for end := s.pos + length; s.pos < end; {
				v, err := s.varint()
				if err != nil {
					return true, err
				}
				t.Spelled = append(t.Spelled, int32(v))
			}
			return true, nil
		case number == 13 && kind == 2:
			return true, s.entry(s.pos+length, &t)
		}
		return false, nil
	})
	s.graph.Weights[t.Type] += elements
	return t, err
}

// entry reads a part of external_data: key = 1, value = 2.
func (s *scanner) entry(end int64, t *Tensor) error {
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
	n, failed := strconv.ParseInt(value, 10, 64)
	switch {
	case key == "location":
		s.external[value] = true
		t.File, t.Raw = value, true
	case key == "offset" && failed == nil:
		t.Offset = n
	case key == "length" && failed == nil:
		t.Length = n
	}
	return err
}
