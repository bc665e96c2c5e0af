package embedding

import (
	"slices"
	"sync"
	"time"
)

// window holds encoded items until a worker asks for a batch. Everything that
// has gathered is sorted by length and cut into batches at once, so that rows
// of one batch have nearly one length; while those batches run, the next
// window gathers. Under light load a batch is simply whatever is there.
type window struct {
	budget func() int // tokens in one batch, padding counted unless packed
	packed bool
	alone  int // items of more tokens are batches of their own; 0: none are

	mu      sync.Mutex
	arrived sync.Cond
	pool    []*item   // gathered, not yet cut
	since   time.Time // when the first of pool came
	cutting bool      // somebody cuts what had gathered
	batches [][]*item // cut, shortest first: taken from the end
	waiting time.Time // when the first of what they were cut from came
	closed  bool
}

func newWindow(budget func() int, packed bool, alone int) *window {
	w := &window{budget: budget, packed: packed, alone: alone}
	w.arrived.L = &w.mu
	return w
}

func (w *window) add(items ...*item) {
	w.mu.Lock()
	if len(w.pool) == 0 {
		w.since = time.Now()
	}
	w.pool = append(w.pool, items...)
	w.mu.Unlock()
	w.arrived.Signal()
}

// close lets take drain what is left and then report false.
func (w *window) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.arrived.Broadcast()
}

// take blocks until there is a batch, and tells since when something of its window has waited. It reports false once
// the window is closed and empty.
func (w *window) take() (batch []*item, since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.batches) == 0 {
		switch {
		case len(w.pool) > 0 && !w.cutting:
			w.cut()
		case w.closed && !w.cutting:
			return nil, since, false
		default:
			w.arrived.Wait()
		}
	}
	last := len(w.batches) - 1
	batch = w.batches[last]
	w.batches[last] = nil
	w.batches = w.batches[:last]
	return batch, w.waiting, true
}

// cut makes batches of what has gathered, while more gathers: on a card that
// is tens of thousands of items at a time. It needs w.mu, and has it again
// when it comes back.
func (w *window) cut() {
	pool, since := w.pool, w.since
	w.pool, w.cutting = nil, true
	w.mu.Unlock()
	batches := plan(pool, w.budget(), w.packed, w.alone)
	w.mu.Lock()
	w.batches, w.waiting, w.cutting = batches, since, false
	w.arrived.Broadcast()
}

// plan sorts items by length and cuts them into batches whose size stays
// within budget: longest × count, or where they are packed the sum of their
// lengths. An item longer than budget, or than alone, gets a batch of its own.
// Batches come shortest first.
func plan(items []*item, budget int, packed bool, alone int) [][]*item {
	sortByLength(items)
	var batches [][]*item
	// From the longest down, so that the one batch that is not full is the
	// cheapest one.
	for end := len(items); end > 0; {
		count := min(max(budget/max(len(items[end-1].ids), 1), 1), end)
		switch {
		case packed:
			count = fitting(items[:end], budget)
		case alone > 0 && len(items[end-1].ids) > alone:
			count = 1
		}
		batches = append(batches, items[end-count:end:end])
		end -= count
	}
	slices.Reverse(batches)
	return batches
}

// fitting is how many items from the end on have budget tokens, one at least.
func fitting(items []*item, budget int) int {
	n, tokens := 0, 0
	for n < len(items) {
		tokens += len(items[len(items)-1-n].ids)
		if tokens > budget && n > 0 {
			break
		}
		n++
	}
	return n
}

// sortByLength keeps the order of items of one length. Lengths are few, so
// that they are counted instead of compared.
func sortByLength(items []*item) {
	longest := 0
	for _, it := range items {
		longest = max(longest, len(it.ids))
	}
	next := make([]int, longest+2)
	for _, it := range items {
		next[len(it.ids)+1]++
	}
	for n := range longest + 1 {
		next[n+1] += next[n]
	}
	sorted := make([]*item, len(items))
	for _, it := range items {
		sorted[next[len(it.ids)]] = it
		next[len(it.ids)]++
	}
	copy(items, sorted)
}
