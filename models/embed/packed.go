package embed

import (
	"math/bits"
	"slices"

	"textmill/models"
)

// packed is how the rows of a run lie in a graph of packed texts (see package models), and where what it makes of them
// comes out.
type packed struct {
	rows    []Row
	pooling []string
	begins  []int // of each row, among the tokens
	fillers []int // tokens of texts that are nobody's
	tokens  int   // of all texts
	longest int   // that a text may be

	// Rows that come out of each output, and how long their lists of tokens are.
	sums, greatest, each []int
	width, compared      int
	kept                 int
}

// shortest is the least that a run's longest text is taken for. Powers of two from there on keep shapes few.
const shortest = 64

// pack lays rows out, with as many further tokens as make total of them.
func pack(rows []Row, spec *models.Spec, total, least int) *packed {
	p := &packed{rows: rows, begins: make([]int, len(rows)), pooling: make([]string, len(rows)), longest: least, width: 1,
		compared: 1}
	for i, r := range rows {
		n := len(r.IDs)
		p.begins[i] = p.tokens
		p.tokens += n
		p.longest = max(p.longest, powerOfTwo(n))
		p.pooling[i] = poolingOf(r, spec)
		switch p.pooling[i] {
		case models.PoolMax:
			p.greatest = append(p.greatest, i)
			p.compared = max(p.compared, n-r.Skip)
		case models.PoolCLS, models.PoolLast:
			p.sums = append(p.sums, i)
		case models.PoolMean:
			p.sums = append(p.sums, i)
			p.width = max(p.width, n-r.Skip)
		default: // tokens leave as they are, and are pooled by poolRow
			p.each = append(p.each, i)
			p.kept += n
		}
	}
	p.width = (p.width + models.PackedStep - 1) / models.PackedStep * models.PackedStep
	for missing := total - p.tokens; missing > 0; {
		n := min(missing, p.longest, spec.MaxLength)
		p.fillers = append(p.fillers, n)
		missing -= n
		p.tokens += n
	}
	return p
}

// powerOfTwo is the least one that is n or more.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

func (p *packed) texts() int { return len(p.rows) + len(p.fillers) }

// lengths calls each with every text's number of tokens.
func (p *packed) lengths(each func(n int)) {
	for _, r := range p.rows {
		each(len(r.IDs))
	}
	for _, n := range p.fillers {
		each(n)
	}
}

// An extent is one input: its name, and how many int32 it takes in which shape.
type extent struct {
	name  string
	shape []int64
	fill  func(dst []int32)
}

func (x extent) size() int {
	n := int64(1)
	for _, d := range x.shape {
		n *= d
	}
	return int(n)
}

// inputs are those of int32. An output has one row at least, which is nobody's where none was asked for: no operator
// need bear with nothing.
func (p *packed) inputs() []extent {
	tokens, texts := int64(p.tokens), int64(p.texts())
	sums, greatest := int64(max(len(p.sums), 1)), int64(max(len(p.greatest), 1))
	return []extent{
		{models.PackedIDs, []int64{tokens}, p.ids},
		{models.PackedTypes, []int64{tokens}, p.types},
		{models.PackedPositions, []int64{tokens}, p.positions},
		{models.PackedOffsets, []int64{texts, int64(p.longest)}, p.offsets},
		{models.PackedLengths, []int64{texts + 1}, p.cumulative},
		{models.PackedSummed, []int64{sums, int64(p.width)}, p.summed},
		{models.PackedCompared, []int64{greatest, int64(p.compared)}, p.lists},
		{models.PackedKept, []int64{int64(max(p.kept, 1))}, p.keeps},
	}
}

func (p *packed) ids(dst []int32) {
	n := 0
	for _, r := range p.rows {
		n += copy(dst[n:], r.IDs)
	}
	for ; n < len(dst); n++ {
		dst[n] = p.rows[0].IDs[0]
	}
}

func (p *packed) types(dst []int32) {
	clear(dst)
	for i, r := range p.rows {
		copy(dst[p.begins[i]:], r.TypeIDs)
	}
}

func (p *packed) positions(dst []int32) {
	at := 0
	p.lengths(func(n int) {
		for j := range n {
			dst[at+j] = int32(j)
		}
		at += n
	})
}

// offsets are the places of tokens in texts × longest, then all other places.
func (p *packed) offsets(dst []int32) {
	at, rest, text := 0, p.tokens, 0
	p.lengths(func(n int) {
		for j := range p.longest {
			to := &at
			if j >= n {
				to = &rest
			}
			dst[*to] = int32(text*p.longest + j)
			*to++
		}
		text++
	})
}

func (p *packed) cumulative(dst []int32) {
	dst[0] = 0
	text := 0
	p.lengths(func(n int) {
		dst[text+1] = dst[text] + int32(n)
		text++
	})
}

func (p *packed) summed(dst []int32) {
	for i := range dst {
		dst[i] = int32(p.tokens) // none
	}
	for k, i := range p.sums {
		line, r := dst[k*p.width:], p.rows[i]
		switch first := p.begins[i]; p.pooling[i] {
		case models.PoolCLS:
			line[0] = int32(first + r.Skip)
		case models.PoolLast:
			line[0] = int32(first + len(r.IDs) - 1)
		default:
			for j := r.Skip; j < len(r.IDs); j++ {
				line[j-r.Skip] = int32(first + j)
			}
		}
	}
}

// shares are what sums are multiplied with.
func (p *packed) shares(dst []float32) {
	clear(dst)
	for k, i := range p.sums {
		dst[k] = 1
		if p.pooling[i] != models.PoolCLS && p.pooling[i] != models.PoolLast {
			dst[k] = 1 / float32(len(p.rows[i].IDs)-p.rows[i].Skip)
		}
	}
}

func (p *packed) lists(dst []int32) {
	clear(dst)
	for k, i := range p.greatest {
		r := p.rows[i]
		for j := range p.compared {
			dst[k*p.compared+j] = int32(p.begins[i] + min(r.Skip+j, len(r.IDs)-1))
		}
	}
}

func (p *packed) keeps(dst []int32) {
	clear(dst)
	at := 0
	for _, i := range p.each {
		for j := range p.rows[i].IDs {
			dst[at+j] = int32(p.begins[i] + j)
		}
		at += len(p.rows[i].IDs)
	}
}

// vectors are the rows', out of what the outputs hold. They share nothing with those.
func (p *packed) vectors(sums, greatest, each []float32, spec *models.Spec) []Vector {
	vectors, hidden := make([]Vector, len(p.rows)), spec.Hidden
	take := func(row int, v []float32) {
		if finite(v) {
			vectors[row] = v
		}
	}
	pooled := func(rows []int, from []float32) {
		all := slices.Clone(from[:len(rows)*hidden])
		for k, i := range rows {
			take(i, all[k*hidden:(k+1)*hidden:(k+1)*hidden])
		}
	}
	pooled(p.sums, sums)
	pooled(p.greatest, greatest)
	for _, i := range p.each {
		n := len(p.rows[i].IDs) * hidden
		v := make([]float32, pooledSize(p.rows[i], spec))
		poolRow(v, each[:n], hidden, p.pooling[i], p.rows[i].Skip)
		take(i, v)
		each = each[n:]
	}
	return vectors
}
