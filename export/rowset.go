package export

// rowSet is a set of rows of a file, a bit for each up to the last of them.
type rowSet []uint64

func (s rowSet) has(row int64) bool { return row/64 < int64(len(s)) && s[row/64]&(1<<(row%64)) != 0 }

func (s *rowSet) mark(row int64) {
	for row/64 >= int64(len(*s)) {
		*s = append(*s, 0)
	}
	(*s)[row/64] |= 1 << (row % 64)
}
