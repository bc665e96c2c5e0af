package graph

// value reads a ValueInfoProto: name = 1, type = 2 (TypeProto: tensor_type = 1).
func (s *scanner) value(end int64) (Value, error) {
	var v Value
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 2:
			var err error
			v.Name, err = s.text(length)
			return true, err
		case number == 2 && kind == 2:
			return true, s.message(s.pos+length, func(number, kind int, length int64) (bool, error) {
				if number == 1 && kind == 2 {
					return true, s.tensorType(s.pos+length, &v)
				}
				return false, nil
			})
		}
		return false, nil
	})
	return v, err
}

// tensorType reads a TypeProto.Tensor: elem_type = 1, shape = 2 (TensorShapeProto: dim = 1).
func (s *scanner) tensorType(end int64, v *Value) error {
	return s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 0:
			t, err := s.varint()
			v.Type = int32(t)
			return true, err
		case number == 2 && kind == 2:
			return true, s.message(s.pos+length, func(number, kind int, length int64) (bool, error) {
				if number != 1 || kind != 2 {
					return false, nil
				}
				return true, s.dimension(s.pos+length, v)
			})
		}
		return false, nil
	})
}

// dimension reads a Dimension: dim_value = 1, dim_param = 2.
func (s *scanner) dimension(end int64, v *Value) error {
	size, param := int64(-1), ""
	err := s.message(end, func(number, kind int, length int64) (bool, error) {
		switch {
		case number == 1 && kind == 0:
			d, err := s.varint()
			size = int64(d)
			return true, err
		case number == 2 && kind == 2:
			var err error
			param, err = s.text(length)
			return true, err
		}
		return false, nil
	})
	if size <= 0 {
		size = -1
	}
	v.Dims, v.Params = append(v.Dims, size), append(v.Params, param)
	return err
}
