package embed

import "textmill/models"

// pool makes one Vector a row out of the batch's output. The vectors share one allocation and nothing with out.
func pool(rows []Row, out []float32, width int, spec *models.Spec) []Vector {
	dim, total := spec.Dim, 0
	size := func(r Row) int {
		if spec.Output.Rank == 3 && poolingOf(r, spec) == models.PoolNone {
			return dim * len(r.IDs)
		}
		return dim
	}
	for _, r := range rows {
		total += size(r)
	}
	all := make([]float32, total)
	vectors := make([]Vector, len(rows))
	for i, r := range rows {
		n := size(r)
		v := all[:n:n]
		all = all[n:]
		if spec.Output.Rank == 2 {
			copy(v, out[i*dim:(i+1)*dim])
		} else {
			first := i*width + offset(spec, width, len(r.IDs))
			tokens := out[(first+r.Skip)*dim : (first+len(r.IDs))*dim]
			poolRow(v, tokens, poolingOf(r, spec), out[first*dim:(first+len(r.IDs))*dim])
		}
		if finite(v) {
			vectors[i] = v
		}
	}
	return vectors
}

func poolingOf(r Row, spec *models.Spec) string {
	if r.Pooling == "" {
		return spec.Pooling
	}
	return r.Pooling
}

// poolRow makes v of a row's tokens, skipped ones left out; whole has them.
func poolRow(v, tokens []float32, pooling string, whole []float32) {
	dim := len(v)
	switch pooling {
	case models.PoolCLS:
		copy(v, whole)
	case models.PoolLast:
		copy(v, whole[len(whole)-dim:])
	case models.PoolNone:
		copy(v, whole)
	case models.PoolMax:
		copy(v, tokens)
		for t := dim; t < len(tokens); t += dim {
			line := tokens[t : t+dim : t+dim]
			for j, x := range line[:len(v)] {
				v[j] = max(v[j], x)
			}
		}
	default:
		for t := 0; t < len(tokens); t += dim {
			add(v, tokens[t:t+dim])
		}
		scale := 1 / float32(len(tokens)/dim)
		for j := range v {
			v[j] *= scale
		}
	}
}

// add adds b to a, four values at a time so that the additions do not wait for each other.
func add(a, b []float32) {
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		a[0] += b[0]
		a[1] += b[1]
		a[2] += b[2]
		a[3] += b[3]
		a, b = a[4:], b[4:]
	}
	for j := range b {
		a[j] += b[j]
	}
}

// finite is false when any value is infinite or not a number: x−x is 0 only of numbers.
func finite(v []float32) bool {
	var sum float32
	for _, x := range v {
		sum += x - x
	}
	return sum == 0
}
