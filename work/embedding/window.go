package embedding

import (
	"slices"
	"sync"
)

// window holds encoded items until a worker asks for a batch. Everything that
// has gathered is sorted by length and cut into batches at once, so that rows
// of one batch have nearly one length; while those batches run, the next
// window gathers. Under light load a batch is simply whatever is there.
type window struct {
	budget int // padded tokens in one batch

	mu      sync.Mutex
	arrived sync.Cond
	pool    []*item   // gathered, not yet cut
	batches [][]*item // cut, shortest first: taken from the end
	closed  bool
}

func newWindow(budget int) *window {
	w := &window{budget: budget}
	w.arrived.L = &w.mu
	return w
}

func (w *window) add(items ...*item) {
	w.mu.Lock()
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

// take blocks until there is a batch. It reports false once the window is
// closed and empty.
func (w *window) take() ([]*item, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.batches) == 0 {
		if len(w.pool) > 0 {
			w.batches = plan(w.pool, w.budget)
			w.pool = nil
			w.arrived.Broadcast()
			break
		}
		if w.closed {
			return nil, false
		}
		w.arrived.Wait()
	}
	last := len(w.batches) - 1
	b := w.batches[last]
	w.batches[last] = nil
	w.batches = w.batches[:last]
	return b, true
}

// plan sorts items by length and cuts them into batches whose padded size,
// longest × count, stays within budget. An item longer than budget gets a
// batch of its own. Batches come shortest first.
func plan(items []*item, budget int) [][]*item {
	slices.SortStableFunc(items, func(a, b *item) int { return len(a.ids) - len(b.ids) })
	var batches [][]*item
	// From the longest down, so that the one batch that is not full is the
	// cheapest one.
	for end := len(items); end > 0; {
		count := min(max(budget/max(len(items[end-1].ids), 1), 1), end)
		batches = append(batches, items[end-count:end:end])
		end -= count
	}
	slices.Reverse(batches)
	return batches
}
