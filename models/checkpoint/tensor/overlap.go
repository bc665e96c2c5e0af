package tensor

import (
	"cmp"
	"fmt"
	"slices"
)

// Apart refuses tensors of one file that share bytes, which only damaged files have.
func Apart(tensors []*Tensor) error {
	sorted := slices.SortedFunc(slices.Values(tensors), func(a, b *Tensor) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(sorted); i++ {
		if a, b := sorted[i-1], sorted[i]; b.offset < a.offset+a.Bytes() {
			return fmt.Errorf("%w %s: it begins within %s, at byte %d of the file", ErrTensor, b.Name, a.Name, b.offset)
		}
	}
	return nil
}
