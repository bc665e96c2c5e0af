package commit

import (
	"sync"

	"textmill/export"
)

// piece is a part of a delivery's rows on its way to the committer.
type piece struct {
	of    *Rows
	rows  []export.Row
	bytes int
	done  bool  // the delivery has no more rows
	err   error // why it has none
}

// inbox holds what a committer has not written yet. Putting something in never waits: whoever makes rows for many
// datasets must not be held up by one. So those who have rows made ask behind before; what is in the model then still
// comes.
type inbox struct {
	arrived chan struct{} // has a value while pieces wait
	most    int           // bytes that may wait before no more should be made

	mu       sync.Mutex
	pieces   []piece
	bytes    int           // not written yet
	caughtUp chan struct{} // closed, and nil again, when much less waits; nil while little does
	ended    bool
}

func newInbox(most int) *inbox { return &inbox{arrived: make(chan struct{}, 1), most: most} }

// put reports false when nothing is taken any more.
func (b *inbox) put(p piece) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.pieces = append(b.pieces, p)
	if b.bytes += p.bytes; b.bytes > b.most && b.caughtUp == nil {
		b.caughtUp = make(chan struct{})
	}
	b.signal()
	return true
}

// signal needs b.mu.
func (b *inbox) signal() {
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// next takes the oldest piece out; it counts until it is written.
func (b *inbox) next() (p piece, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pieces) == 0 {
		return piece{}, false
	}
	p, b.pieces[0] = b.pieces[0], piece{}
	b.pieces = b.pieces[1:]
	if len(b.pieces) > 0 {
		b.signal()
	}
	return p, true
}

func (b *inbox) written(p piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes -= p.bytes; b.bytes <= b.most/2 && b.caughtUp != nil {
		close(b.caughtUp)
		b.caughtUp = nil
	}
}

// behind is nil while little waits; else it is closed when that is so again.
func (b *inbox) behind() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.caughtUp
}

func (b *inbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}
