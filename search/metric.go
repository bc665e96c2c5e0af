package search

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/viterin/vek/vek32"

	"textmill/export"
	"textmill/export/scan"
	"textmill/models/vector"
)

// Metrics, by which a row is near to a question. Of each, more is nearer.
const (
	Cosine    = "cosine"    // of the angle between the vectors
	Dot       = "dot"       // their dot product
	Euclidean = "euclidean" // their distance, negative
	Hamming   = "hamming"   // the share of dimensions whose signs are the same; of bits only
)

// A scorer compares questions with vectors as a table of some precision keeps them.
type scorer struct {
	metric    string
	precision string
	dim       int
	floats    [][]float32 // the questions
	lengths   []float32   // squared, of each
	signs     [][]uint64  // the questions' bits, packed
	ranges    *vector.Ranges
}

// CheckMetric refuses what vectors cannot be compared by.
func CheckMetric(metric string) error {
	switch metric {
	case Cosine, Dot, Euclidean, Hamming:
		return nil
	}
	return fmt.Errorf("metric %q is none of cosine, dot, euclidean and hamming", metric)
}

func newScorer(metric string, v export.Vectors, questions [][]float32) (*scorer, error) {
	precision, dim := v.Precision, v.Dim
	s := &scorer{metric: metric, precision: precision, dim: dim}
	if v.Ranges != "" {
		var err error
		if s.ranges, err = vector.DecodeRanges(v.Ranges, dim); err != nil {
			return nil, fmt.Errorf("the table's property: %w", err)
		}
	}
	if err := CheckMetric(metric); err != nil {
		return nil, err
	}
	packed := precision == vector.Binary || precision == vector.Ubinary
	switch {
	case packed != (metric == Hamming):
		return nil, fmt.Errorf("%s vectors are not compared by %s", precision, metric)
	case metric != Cosine && s.ranges == nil && (precision == vector.Int8 || precision == vector.Uint8):
		return nil, fmt.Errorf("%s vectors have lost their lengths, so that only cosine compares them, not %s", precision,
			metric)
	}
	for i, q := range questions {
		if len(q) != dim {
			return nil, fmt.Errorf("question %d has %d dimensions, the table's vectors have %d", i, len(q), dim)
		}
		if !packed {
			s.floats, s.lengths = append(s.floats, q), append(s.lengths, vek32.Dot(q, q))
			continue
		}
		f, err := vector.Finish(append([]float32(nil), q...), vector.Params{Precision: vector.Ubinary})
		if err != nil {
			return nil, err
		}
		ints := make([]int32, len(f.U8))
		for i, b := range f.U8 {
			ints[i] = int32(b)
		}
		s.signs = append(s.signs, pack(nil, ints, 0))
	}
	return s, nil
}

// width is how many values of a table's column make a vector.
func (s *scorer) width() int {
	if s.metric == Hamming {
		return (s.dim + 7) / 8
	}
	return s.dim
}

// scratch is what scoring a block takes in memory, for one goroutine.
type scratch struct {
	wide    []float32 // of small integers
	lengths []float32 // squared
	words   []uint64  // of bits
	scores  []float32
}

// score calls each with every question's scores of a block's vectors; the list is valid only during the call.
func (s *scorer) score(b *scan.Block, w *scratch, each func(question int, scores []float32)) {
	n := len(b.Rows)
	w.scores = grow(w.scores, n)
	scores := w.scores
	if s.metric == Hamming {
		s.hamming(b, w, scores, each)
		return
	}
	vectors := b.Floats
	if b.Ints != nil {
		vectors = s.widen(b.Ints, w)
	}
	var lengths []float32
	if s.metric != Dot {
		w.lengths = grow(w.lengths, n)
		lengths = w.lengths
		for i := range lengths {
			v := vectors[i*s.dim : (i+1)*s.dim]
			lengths[i] = vek32.Dot(v, v)
		}
	}
	for q, question := range s.floats {
		for i := range scores {
			scores[i] = vek32.Dot(question, vectors[i*s.dim:(i+1)*s.dim])
		}
		for i, of := range lengths {
			scores[i] = s.finish(scores[i], s.lengths[q], of)
		}
		each(q, scores)
	}
}

// finish makes a score of a dot product and the squares of both lengths. A vector without a direction is near nothing.
func (s *scorer) finish(dot, a, b float32) float32 {
	if s.metric == Euclidean {
		return -float32(math.Sqrt(max(float64(a)+float64(b)-2*float64(dot), 0)))
	}
	if a == 0 || b == 0 {
		return 0
	}
	return dot / float32(math.Sqrt(float64(a)*float64(b)))
}

// widen makes floats of small integers.
func (s *scorer) widen(ints []int32, w *scratch) []float32 {
	w.wide = grow(w.wide, len(ints))
	wide := vek32.FromInt32_Into(w.wide, ints)
	if s.ranges != nil {
		if s.precision == vector.Int8 {
			vek32.AddNumber_Inplace(wide, 128)
		}
		s.ranges.Widen(wide)
		return wide
	}
	if s.precision == vector.Uint8 {
		vek32.SubNumber_Inplace(wide, 128)
	}
	return wide
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// pack puts the bytes of a vector of bits into words; shift is added to each.
func pack(to []uint64, bytes []int32, shift int32) []uint64 {
	for i, b := range bytes {
		if i%8 == 0 {
			to = append(to, 0)
		}
		to[len(to)-1] |= uint64(uint8(b+shift)) << (8 * (i % 8))
	}
	return to
}

func (s *scorer) hamming(b *scan.Block, w *scratch, scores []float32, each func(int, []float32)) {
	width, shift := s.width(), int32(0)
	if s.precision == vector.Binary {
		shift = 128
	}
	words := (width + 7) / 8
	w.words = w.words[:0]
	for i := range scores {
		w.words = pack(w.words, b.Ints[i*width:(i+1)*width], shift)
	}
	for q, question := range s.signs {
		for i := range scores {
			differ := 0
			for k, word := range w.words[i*words : (i+1)*words] {
				differ += bits.OnesCount64(word ^ question[k])
			}
			scores[i] = 1 - float32(differ)/float32(s.dim)
		}
		each(q, scores)
	}
}
