package sample

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"testing"

	"textmill/internal/golden"
)

// order is how torch.sort leaves some values, made by testdata/order.py.
type order struct {
	Values []*float32 // nil is -Inf
	Order  []int32    // of short ones
	SHA256 string
}

func (o *order) scores() []float32 {
	out := make([]float32, len(o.Values))
	for i, v := range o.Values {
		if out[i] = negInf; v != nil {
			out[i] = *v
		}
	}
	return out
}

// sorted puts together what appendTies says of each value there is, from the lowest.
func sorted(scores []float32) (ids []int32) {
	distinct := slices.Compact(slices.Sorted(slices.Values(scores)))
	a := make([]placed, len(scores))
	for _, v := range distinct {
		for i := range a {
			a[i] = placed{scores[i], int32(i)}
		}
		ids = appendTies(ids, a, v, 2*(bits.Len(uint(len(a)))-1))
	}
	return ids
}

func TestTiesInTorchsOrder(t *testing.T) {
	all := golden.Values[order](t, "testdata/order.jsonl.gz")
	unstable := 0
	for i, o := range all {
		got := sorted(o.scores())
		if o.Order != nil && !slices.Equal(got, o.Order) {
			t.Errorf("array %d, of %d: %v, torch has %v", i, len(o.Values), got, o.Order)
		}
		var text []byte
		for j, id := range got {
			if j > 0 {
				text = append(text, ',')
			}
			text = strconv.AppendInt(text, int64(id), 10)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != o.SHA256 {
			t.Errorf("array %d, of %d: not in torch's order", i, len(o.Values))
		}
		scores := o.scores()
		if !slices.IsSortedFunc(got, func(a, b int32) int { return cmp.Or(cmp.Compare(scores[a], scores[b]), cmp.Compare(a, b)) }) {
			unstable++
		}
	}
	if unstable < 100 {
		t.Errorf("only %d of %d orders differ from a stable sort's", unstable, len(all))
	}
}

// FuzzTies: whatever the scores, the ids of each are found once, those of short arrays in their order, and with any of them
// as top_p's edge as many as should stay do, no matter how the scratch was used before.
func FuzzTies(f *testing.F) {
	for _, o := range golden.Values[order](f, "testdata/order.jsonl.gz") {
		if len(o.Values) > 600 {
			continue
		}
		var raw []byte
		for _, v := range o.scores() {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(max(v, -1)))
		}
		f.Add(raw, uint16(7))
	}
	scratch := NewScratch(0)
	f.Fuzz(func(t *testing.T, raw []byte, at uint16) {
		scores := make([]float32, min(len(raw)/2, 4096))
		if len(scores) == 0 {
			return
		}
		for i := range scores {
			if scores[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))); scores[i] < 0 {
				scores[i] = negInf
			}
		}
		edge := scores[int(at)%len(scores)]
		if edge == negInf {
			return
		}
		var tied []int32
		var above int
		for id, v := range scores {
			if v == edge {
				tied = append(tied, int32(id))
			} else if v > edge {
				above++
			}
		}
		a := make([]placed, len(scores))
		for i := range a {
			a[i] = placed{scores[i], int32(i)}
		}
		ids := appendTies(nil, a, edge, 2*(bits.Len(uint(len(a)))-1))
		if len(scores) <= leaf && !slices.Equal(ids, tied) {
			t.Fatalf("%v of %v: %v", edge, scores, ids)
		}
		n := 1 + int(at)%len(tied)
		scratch.collect(scores, negInf, 1, slices.Max(scores), negInf)
		scratch.dropTies(edge, n, len(scores))
		stay := slices.Sorted(slices.Values(ids[len(ids)-n:]))
		if slices.Sort(ids); !slices.Equal(ids, tied) {
			t.Fatalf("%v of %v: %v, want each of %v", edge, scores, ids, tied)
		}
		if len(scratch.kept) != above+n {
			t.Fatalf("%d kept, want %d above and %d equal", len(scratch.kept), above, n)
		}
		last := int32(-1)
		for _, c := range scratch.kept {
			if c.id <= last || c.score < edge || c.score == edge && !slices.Contains(stay, c.id) || math.IsNaN(float64(c.weight)) {
				t.Fatalf("kept %+v after %d, where of %v %v stay", c, last, edge, stay)
			}
			last = c.id
		}
	})
}
