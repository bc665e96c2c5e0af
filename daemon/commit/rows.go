package commit

import (
	"strings"
	"sync"
	"time"

	"textmill/daemon/inflight"
	"textmill/daemon/lately"
	"textmill/export"
)

// Rows are those of one delivery: made in any order, handed on to the committer in the order of its records.
type Rows struct {
	delivery *inflight.Delivery
	vectors  export.Vectors
	to       *Committer
	result   chan Result // holds the one there will be

	mu      sync.Mutex
	slots   [][]export.Row // of records from first on, nil while they run
	first   int            // records whose rows are in ready, or have gone on
	ready   []export.Row
	bytes   int  // of ready
	fed     bool // no further record will be expected
	handing bool // somebody hands a piece on
	over    bool // the last piece has gone on
	counts  Counts
}

// Counts are of one delivery's rows.
type Counts struct {
	Rows, Errors, Tokens int
	Truncated, Dropped   int            // rows whose text was cut, and tokens cut off in all
	LeftOut              int            // made, and not written: the table holds their records
	Classes              map[string]int // of Errors; of rows that were left out too
	Examples             map[string]lately.Example
	// Uncounted: the rows were there before, and nobody counted them. Rows are the message's records.
	Uncounted bool
}

// Result is what became of a delivery's rows.
type Result struct {
	Logged       export.Outcome // what the table's log says of the delivery after the commit
	Version      int64          // of the table that says so
	Failed       error          // why the rows were for no commit
	Uncommitted  error          // why the commit that was to hold them failed
	Begun, Ended time.Time      // of the commit
	Left         export.Left    // rows that were left out, since the table holds their records
}

// resultOf is what a commit came to for a delivery of this identity.
func resultOf(key string, r export.Result, begun time.Time, took time.Duration) Result {
	return Result{Logged: r.Outcomes[key], Version: r.Version, Left: r.Left[key], Begun: begun, Ended: begun.Add(took)}
}

// spoolBytes is how much of one delivery is held in memory before it streams into a part of its own.
const spoolBytes = 16 << 20

// Gather begins to take the rows of a delivery, whose embeddings are these vectors.
func (c *Committer) Gather(d *inflight.Delivery, v export.Vectors) *Rows {
	return &Rows{delivery: d, vectors: v, to: c, result: make(chan Result, 1)}
}

// Expect makes room for the next record and returns where its rows go, which is to be called once. Nil rows say that
// the record was given up because the daemon stops.
func (r *Rows) Expect() func([]export.Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.first + len(r.slots)
	r.slots = append(r.slots, nil)
	return func(rows []export.Row) { r.arrive(n, rows) }
}

// Fed says that no further record will be expected.
func (r *Rows) Fed() {
	r.mu.Lock()
	r.fed = true
	r.mu.Unlock()
	r.handOn()
}

func (r *Rows) arrive(n int, rows []export.Row) {
	if rows == nil {
		r.delivery.Halt(inflight.ErrDraining)
	}
	r.mu.Lock()
	if !r.over {
		r.slots[n-r.first] = rows
	}
	r.mu.Unlock()
	r.handOn()
}

// handOn gives the committer what is next in the order of records. All rows go on here: without the lock, and without
// waiting, since it is the model that calls.
func (r *Rows) handOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.handing {
		p, ok := r.next()
		if !ok {
			return
		}
		r.handing = true
		r.mu.Unlock()
		r.to.take(p)
		r.mu.Lock()
		r.handing = false
	}
}

// next needs r.mu.
func (r *Rows) next() (p piece, ok bool) {
	if r.over {
		return piece{}, false
	}
	if why := r.delivery.Halted(); why != nil {
		r.over, r.slots, r.ready = true, nil, nil
		return piece{of: r, done: true, err: why}, true
	}
	for len(r.slots) > 0 && r.slots[0] != nil {
		for _, row := range r.slots[0] {
			r.bytes += size(&row)
			r.counts.add(&row)
		}
		r.ready = append(r.ready, r.slots[0]...)
		r.slots[0] = nil
		r.slots = r.slots[1:]
		r.first++
	}
	r.over = r.fed && len(r.slots) == 0
	if !r.over && r.bytes < spoolBytes {
		return piece{}, false
	}
	p = piece{of: r, rows: r.ready, bytes: r.bytes, done: r.over}
	r.ready, r.bytes = nil, 0
	return p, true
}

func (c *Counts) add(row *export.Row) {
	c.Rows++
	c.Tokens += int(row.NOutputTokens.V)
	c.Dropped += int(row.NDropped.V)
	if row.Truncated.V {
		c.Truncated++
	}
	if row.Error != "" {
		c.Errors++
		if c.Classes == nil {
			c.Classes, c.Examples = map[string]int{}, map[string]lately.Example{}
		}
		class, why, _ := strings.Cut(row.Error, ": ")
		if c.Classes[class]++; c.Classes[class] == 1 {
			c.Examples[class] = lately.Example{Record: row.RecordID, Reason: why}
		}
	}
}

// size is about how much memory a row takes.
func size(r *export.Row) int {
	n := 512 + len(r.Text.V) + len(r.Error) + len(r.Output.V) + len(r.Embedding8) + 2*len(r.Embedding16) +
		4*(len(r.InputIDs)+len(r.Embedding)+len(r.OutputIDs)+len(r.Logprobs))
	for k, v := range r.Attributes {
		n += len(k) + len(v) + 64
	}
	return n
}

// Result returns what became of the rows, once, when they are committed or given up.
func (r *Rows) Result() (Result, Counts) {
	result := <-r.result
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Rows -= int(result.Left.Rows)
	r.counts.Errors -= int(result.Left.Errors)
	r.counts.LeftOut = int(result.Left.Rows)
	return result, r.counts
}
