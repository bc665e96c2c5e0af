package embedding

import (
	"math/rand/v2"
	"testing"
)

func itemsOf(lengths ...int) []*item {
	items := make([]*item, len(lengths))
	for i, n := range lengths {
		items[i] = &item{ids: make([]int32, n)}
	}
	return items
}

func TestPlanKeepsEveryItemWithinBudget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		lengths := make([]int, r.IntN(300))
		for i := range lengths {
			lengths[i] = 1 + r.IntN(600)
		}
		budget := 1 + r.IntN(2000)
		items := itemsOf(lengths...)
		seen := map[*item]bool{}
		last := 0
		for _, b := range plan(items, budget) {
			longest := len(b[len(b)-1].ids)
			if len(b) > 1 && longest*len(b) > budget {
				t.Fatalf("a batch of %d × %d tokens exceeds the budget %d", len(b), longest, budget)
			}
			for _, it := range b {
				if seen[it] {
					t.Fatal("an item is in two batches")
				}
				seen[it] = true
				if len(it.ids) < last {
					t.Fatal("batches are not sorted by length")
				}
				last = len(it.ids)
			}
		}
		if len(seen) != len(lengths) {
			t.Fatalf("%d of %d items are in batches", len(seen), len(lengths))
		}
	}
}

func TestPlanPadsLittleOnRaggedText(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var lengths []int
	for range 2000 {
		lengths = append(lengths, 3+int(r.ExpFloat64()*30))
	}
	tokens, padded := 0, 0
	for _, b := range plan(itemsOf(lengths...), 1024) {
		for _, it := range b {
			tokens += len(it.ids)
		}
		padded += len(b) * len(b[len(b)-1].ids)
	}
	if share := 1 - float64(tokens)/float64(padded); share > 0.05 {
		t.Errorf("%.1f %% of the computed tokens are padding, want at most 5 %%", 100*share)
	}
}

func TestWindowDrainsAfterClose(t *testing.T) {
	w := newWindow(10)
	w.add(itemsOf(4, 2, 9)...)
	w.close()
	n := 0
	for {
		b, ok := w.take()
		if !ok {
			break
		}
		n += len(b)
	}
	if n != 3 {
		t.Errorf("%d items came out, want 3", n)
	}
}
