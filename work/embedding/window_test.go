package embedding

import (
	"math/rand/v2"
	"slices"
	"sync"
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
		for _, b := range plan(items, budget, false, 0) {
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

// Texts that the graph takes alone are batches of their own, whatever the budget; the others are not.
func TestPlanRunsLongTextsAlone(t *testing.T) {
	var sizes []int
	for _, b := range plan(itemsOf(700, 10, 513, 512, 512, 20), 4096, false, 512) {
		sizes = append(sizes, len(b))
	}
	if !slices.Equal(sizes, []int{4, 1, 1}) {
		t.Errorf("batches of %v texts", sizes)
	}
}

func TestPlanPadsLittleOnRaggedText(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var lengths []int
	for range 2000 {
		lengths = append(lengths, 3+int(r.ExpFloat64()*30))
	}
	tokens, padded := 0, 0
	for _, b := range plan(itemsOf(lengths...), 1024, false, 0) {
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
	w := newWindow(func() int { return 10 }, false, 0)
	w.add(itemsOf(4, 2, 9)...)
	w.close()
	n := 0
	for {
		b, _, ok := w.take()
		if !ok {
			break
		}
		n += len(b)
	}
	if n != 3 {
		t.Errorf("%d items came out, want 3", n)
	}
}

// Where padding costs nothing a batch holds as many tokens as it may, whatever their texts' lengths are.
func TestPackedBatchesAreFull(t *testing.T) {
	const budget = 512
	r := rand.New(rand.NewPCG(5, 6))
	lengths := make([]int, 3000)
	for i := range lengths {
		lengths[i] = 1 + r.IntN(100)
	}
	lengths[7] = 2 * budget // a batch of its own
	batches, items := plan(itemsOf(lengths...), budget, true, 0), 0
	for i, b := range batches {
		tokens := 0
		for _, it := range b {
			tokens += len(it.ids)
		}
		if tokens > budget && len(b) > 1 || tokens <= budget-100 && i > 0 {
			t.Errorf("batch %d of %d: %d tokens in %d texts", i, len(batches), tokens, len(b))
		}
		items += len(b)
	}
	if items != len(lengths) {
		t.Errorf("%d of %d items are in batches", items, len(lengths))
	}
}

func TestItemsOfOneLengthKeepTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	lengths := make([]int, 1000)
	for i := range lengths {
		lengths[i] = r.IntN(20)
	}
	items := itemsOf(lengths...)
	want := slices.Clone(items)
	slices.SortStableFunc(want, func(a, b *item) int { return len(a.ids) - len(b.ids) })
	if sortByLength(items); !slices.Equal(items, want) {
		t.Error("they are in another order than a stable sort has them")
	}
	sortByLength(nil)
}

// Whoever adds does not wait for whoever cuts, and each item comes out once however many take.
func TestWindowIsSharedByMany(t *testing.T) {
	const adders, takers, each = 4, 4, 2000
	w := newWindow(func() int { return 64 }, true, 0)
	var adding, taking sync.WaitGroup
	var mu sync.Mutex
	seen := map[*item]int{}
	for range takers {
		taking.Go(func() {
			for b, _, ok := w.take(); ok; b, _, ok = w.take() {
				mu.Lock()
				for _, it := range b {
					seen[it]++
				}
				mu.Unlock()
			}
		})
	}
	for range adders {
		adding.Go(func() {
			for i := range each {
				w.add(itemsOf(1 + i%30)...)
			}
		})
	}
	adding.Wait()
	w.close()
	taking.Wait()
	if len(seen) != adders*each {
		t.Errorf("%d items came out, want %d", len(seen), adders*each)
	}
	for _, n := range seen {
		if n != 1 {
			t.Fatal("an item came out twice")
		}
	}
}

// Batches are cut by the budget of the moment.
func TestWindowFollowsTheBudget(t *testing.T) {
	budget := 40
	w := newWindow(func() int { return budget }, true, 0)
	w.add(itemsOf(slices.Repeat([]int{10}, 8)...)...)
	if b, _, _ := w.take(); len(b) != 4 {
		t.Errorf("%d items of 10 tokens in a batch of 40", len(b))
	}
	w.take()
	budget = 20
	w.add(itemsOf(slices.Repeat([]int{10}, 8)...)...)
	if b, _, _ := w.take(); len(b) != 2 {
		t.Errorf("%d items of 10 tokens in a batch of 20", len(b))
	}
}

func BenchmarkPlan(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	lengths := make([]int, 100_000)
	for i := range lengths {
		lengths[i] = 3 + min(int(r.ExpFloat64()*30), 500)
	}
	items := itemsOf(lengths...)
	for b.Loop() {
		r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		plan(items, 32768, true, 0)
	}
}
