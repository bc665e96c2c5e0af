package daemon

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// flight is a delivery between its fetch and its settlement.
type flight struct {
	delivery *queue.Delivery
	key      export.Key
	job      string
	shard    string // as events name it
	dataset  string
	task     string
	model    string
	weights  string         // model_sha256 of who works on it
	payload  string         // SHA-256 of the message's body, in hex
	shards   int            // how many the job has; 0 when the message does not say
	vectors  export.Vectors // of its rows
	lane     *lane          // where its rows go; nil for one that gets none
	release  func()         // called once it is settled

	halted  atomic.Pointer[error] // why no more rows are wanted
	letters []queue.DeadLetter    // of records that were given up; written before the last piece is handed on

	mu       sync.Mutex
	slots    [][]export.Row // rows of records from first on, nil while they run
	first    int            // records whose rows have gone on
	ready    []export.Row
	bytes    int // of ready
	fed      bool
	handedOn bool

	rows, errors, tokens int  // rows so far, and tokens made in them; read once the flight is complete
	truncated, dropped   int  // rows whose text was cut, and tokens cut off in all
	uncounted            bool // its rows were there before, and are not counted
}

// newFlight starts the bookkeeping of a delivery. A message that could not be
// decoded has no shard; its identity is its place in the stream.
func newFlight(d *queue.Delivery, shard *jobs.Shard) *flight {
	sum := sha256.Sum256(d.Data)
	f := &flight{delivery: d, job: cmp.Or(d.Job, jobs.DefaultJob), task: d.Task, model: d.Model, payload: hex.EncodeToString(sum[:])}
	if shard != nil {
		f.job, f.shard, f.dataset, f.shards = shard.Job, shard.EventID(), shard.Dataset, shard.Shards
	} else {
		named := d.Message().Named()
		f.job, f.shard, f.dataset = cmp.Or(named.Job, jobs.DefaultJob), named.Shard, named.Dataset
	}
	if shard != nil && shard.KeyID != "" {
		f.key = export.JobKey(shard.Task, shard.Model, shard.Job, shard.KeyID, d.Data)
	} else {
		f.shard = cmp.Or(f.shard, strconv.FormatUint(d.Sequence, 10))
		f.key = export.SeqKey(d.Stream, d.StreamCreated, d.Sequence, d.Timestamp, f.job)
	}
	return f
}

// letterKey names the delivery's dead letter: another payload under the same name has one of its own.
func (f *flight) letterKey() string { return fmt.Sprintf("%s@%d", f.key, f.key.Version) }

// piece is a part of a flight's rows on its way to the committer.
type piece struct {
	flight *flight
	rows   []export.Row
	done   bool // the flight has no more rows
	err    error
}

// spoolBytes is how much of one delivery is held in memory before it streams
// into a part of its own.
const spoolBytes = 16 << 20

// expect makes room for the next record and returns where its rows go. The
// function it returns is what rows.Work wants.
func (f *flight) expect() func([]export.Row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.first + len(f.slots)
	f.slots = append(f.slots, nil)
	return func(rows []export.Row) { f.arrive(n, rows) }
}

func (f *flight) arrive(n int, rows []export.Row) {
	if rows == nil {
		f.halt(errDraining)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handedOn {
		return
	}
	f.slots[n-f.first] = rows
	f.advance()
}

// finishFeeding says that no further record will be expected.
func (f *flight) finishFeeding() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fed = true
	f.advance()
}

// halt says why no more rows of this flight are wanted. The first reason
// stays. It never blocks; the flight ends with its next rows.
func (f *flight) halt(why error) { f.halted.CompareAndSwap(nil, &why) }

// halting is the reason given to halt, or nil.
func (f *flight) halting() error {
	if p := f.halted.Load(); p != nil {
		return *p
	}
	return nil
}

// advance moves rows that are next in record order on towards the committer.
// It is called with mu held; the committer's channel bounds how far this can
// run ahead.
func (f *flight) advance() {
	if f.handedOn {
		return
	}
	if why := f.halting(); why != nil {
		f.handedOn = true
		f.slots, f.ready = nil, nil
		f.lane.send(piece{flight: f, done: true, err: why})
		return
	}
	for len(f.slots) > 0 && f.slots[0] != nil {
		for _, row := range f.slots[0] {
			f.bytes += rowBytes(&row)
			f.rows++
			f.tokens += int(row.NOutputTokens.V)
			f.dropped += int(row.NDropped.V)
			if row.Truncated.V {
				f.truncated++
			}
			if row.Error != "" {
				f.errors++
			}
		}
		f.ready = append(f.ready, f.slots[0]...)
		f.slots[0] = nil
		f.slots = f.slots[1:]
		f.first++
	}
	done := f.fed && len(f.slots) == 0
	if !done && f.bytes < spoolBytes {
		return
	}
	f.handedOn = done
	f.lane.send(piece{flight: f, rows: f.ready, done: done})
	f.ready, f.bytes = nil, 0
}

// rowBytes is about how much memory a row takes.
func rowBytes(r *export.Row) int {
	n := 512 + len(r.Text.V) + len(r.Error) + len(r.Output.V) + 4*(len(r.InputIDs)+len(r.Embedding)+len(r.OutputIDs)+len(r.Logprobs)) + len(r.Embedding8) + 2*len(r.Embedding16)
	for k, v := range r.Attributes {
		n += len(k) + len(v) + 64
	}
	return n
}

// event is what is told of this flight; its rows only where they are in the table.
func (f *flight) event(kind string) jobs.Event {
	e := jobs.Event{Type: kind, Job: f.job, Shard: f.shard, Shards: f.shards, PayloadSHA256: f.payload,
		Task: f.task, Model: f.model, Dataset: f.dataset, Time: time.Now()}
	if kind == jobs.EventCommitted || kind == jobs.EventDead {
		e.Published = f.delivery.Timestamp
	}
	if kind == jobs.EventCommitted {
		e.Rows, e.Errors, e.Tokens = int64(f.rows), int64(f.errors), int64(f.tokens)
		e.Truncated, e.Dropped, e.Uncounted = int64(f.truncated), int64(f.dropped), f.uncounted
	}
	return e
}

// decide makes the flight's outcome of what was found out about it.
func (f *flight) decide(found finding) outcome {
	found.attempt = f.delivery.Delivered
	return decide(found)
}
