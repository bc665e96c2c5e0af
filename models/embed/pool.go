package embed

import (
	"math"
	"strings"

	"textmill/models"
)

// pool makes one Vector a row out of the batch's output. The vectors share one allocation and nothing with out.
func pool(rows []Row, out []float32, width int, spec *models.Spec) []Vector {
	hidden, total := spec.Hidden, 0
	size := func(r Row) int {
		if spec.Output.Rank == 3 {
			return pooledSize(r, spec)
		}
		return hidden
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
			copy(v, out[i*hidden:(i+1)*hidden])
		} else {
			first := i*width + offset(spec, width, len(r.IDs))
			poolRow(v, out[first*hidden:(first+len(r.IDs))*hidden], hidden, poolingOf(r, spec), r.Skip)
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

// pooledSize is how many values pooling makes of a row.
func pooledSize(r Row, spec *models.Spec) int {
	pooling := poolingOf(r, spec)
	if pooling == models.PoolNone {
		return spec.Hidden * len(r.IDs)
	}
	return spec.Hidden * (1 + strings.Count(pooling, models.PoolJoint))
}

// poolRow makes v of the vectors of a row's tokens, of which skip at the front are left out. Several poolings lie one
// behind the other.
func poolRow(v, tokens []float32, hidden int, pooling string, skip int) {
	if pooling == models.PoolNone {
		copy(v, tokens)
		return
	}
	for mode := range strings.SplitSeq(pooling, models.PoolJoint) {
		poolOne(v[:hidden], tokens[skip*hidden:], mode, skip)
		v = v[hidden:]
	}
}

// poolOne makes v of tokens, before which others were left out.
func poolOne(v, tokens []float32, mode string, before int) {
	dim, n := len(v), float32(len(tokens)/len(v))
	switch mode {
	case models.PoolCLS:
		copy(v, tokens)
	case models.PoolLast:
		copy(v, tokens[len(tokens)-dim:])
	case models.PoolMax:
		copy(v, tokens)
		for t := dim; t < len(tokens); t += dim {
			line := tokens[t : t+dim : t+dim]
			for j, x := range line[:len(v)] {
				v[j] = max(v[j], x)
			}
		}
	case models.PoolWeighted: // places count from the first token of the text, left out or not
		var sum float32
		for t := 0; t < len(tokens); t += dim {
			place := float32(before + t/dim + 1)
			for j, x := range tokens[t : t+dim] {
				v[j] += float32(x * place)
			}
			sum += place
		}
		scale(v, 1/sum)
	case models.PoolMeanSqrt:
		addAll(v, tokens)
		scale(v, 1/float32(math.Sqrt(float64(n))))
	default:
		addAll(v, tokens)
		scale(v, 1/n)
	}
}

func scale(v []float32, by float32) {
	for j := range v {
		v[j] *= by
	}
}

func addAll(v, tokens []float32) {
	for t := 0; t < len(tokens); t += len(v) {
		add(v, tokens[t:t+len(v)])
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
