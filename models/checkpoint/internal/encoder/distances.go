package encoder

import (
	"encoding/binary"
	"io"
	"math"

	"textmill/models/checkpoint/internal/alone"
	"textmill/models/checkpoint/onnxgraph"
)

// A table of distances has a row of numbers, one a head, for each bucket: half of them for keys behind the query, half
// for those before it, of which half are for one distance each and the rest for ranges that widen up to farthest.
const (
	distanceBuckets = 32
	farthest        = 128
)

// bucket is that of a key which is distance tokens behind the query, or before it where that is negative.
func bucket(distance int) int {
	const half, exact = distanceBuckets / 2, distanceBuckets / 4
	first, n := 0, distance
	if n > 0 {
		first = half
	}
	n = max(n, -n)
	if n < exact {
		return first + n
	}
	// Ranges end where n is exact times 2 to the k/2: n² says the same in integers.
	k := 0
	for exact+k < half-1 && n*n >= exact*exact<<(k+1) {
		k++
	}
	return first + exact + k
}

// distances stores the table by distance instead of bucket, [heads, 2 × farthest + 1].
func (k *keeper) distances(m *Model) {
	if k.err != nil || m.family.distances == "" {
		return
	}
	name, width := k.prefix+m.family.distances+".weight", 2*farthest+1
	table, err := k.store.StoreFloats(name, []int{m.Heads, width}, func(w io.Writer) error {
		values, err := k.store.Values(name, distanceBuckets, m.Heads)
		if err != nil {
			return err
		}
		raw := make([]byte, 0, 4*m.Heads*width)
		for head := range m.Heads {
			for d := -farthest; d <= farthest; d++ {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(values[bucket(d)*m.Heads+head]))
			}
		}
		_, err = w.Write(raw)
		return err
	})
	m.distances, k.err = &table, err
}

// added is what a layer's attention has its scores added, [1, heads or 1, sequence, sequence]; "" for nothing.
func (b *builder) added(i int) string {
	switch {
	case b.m.rotation.near(i):
		return b.once("band", func() string { return b.long.Unless(b.Values, b.band) })
	case b.m.distances != nil:
		return b.once("distances", b.byDistance)
	}
	return ""
}

// along counts the places of the grid's sequence.
func (b *builder) along() string {
	length := b.Node(onnxgraph.ONNX("Gather"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{b.grid()}),
		b.Scalar("sequence_axis", 1)})
	return b.Node(onnxgraph.ONNX("Range"), []string{b.Scalar("from", 0), length, b.Scalar("step", 1)})
}

// apart is [sequence, sequence]: how far keys are behind queries.
func (b *builder) apart() string {
	place := b.along()
	return b.Node(onnxgraph.ONNX("Sub"), []string{b.Reshape(place, 1, -1), b.Reshape(place, -1, 1)})
}

// byDistance is the table's numbers.
func (b *builder) byDistance() string {
	at := b.Node(onnxgraph.ONNX("Clip"), []string{b.apart(), b.Scalar("farthest_before", -farthest),
		b.Scalar("farthest_behind", farthest)})
	at = b.Node(onnxgraph.ONNX("Add"), []string{at, b.Ints("nearest", farthest)})
	numbers := b.Node(onnxgraph.ONNX("Gather"), []string{b.Weight(*b.m.distances), at}, onnxgraph.Int("axis", 1))
	return b.Node(onnxgraph.ONNX("Unsqueeze"), []string{numbers, b.Ints("axis_0", 0)})
}

// unseen is what attention's scores get added for what is out of sight: so low that it gets no weight.
var unseen = map[onnxgraph.Elem]float32{onnxgraph.Float32: alone.Unseen, onnxgraph.Float16: -65504}

// band is zero for tokens within reach of each other, unseen for others.
func (b *builder) band() string {
	far := b.Node(onnxgraph.ONNX("Abs"), []string{b.apart()})
	far = b.Node(onnxgraph.ONNX("Greater"), []string{far, b.Ints("reach", int64(b.m.rotation.reach))})
	far = b.Node(onnxgraph.ONNX("Mul"), []string{b.Cast(far, b.Values), b.Number("unseen", unseen[b.Values])})
	return b.Node(onnxgraph.ONNX("Unsqueeze"), []string{far, b.Ints("axes_0_1", 0, 1)})
}
