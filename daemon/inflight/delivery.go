// Package inflight holds deliveries between their fetch and their settlement.
package inflight

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// Why the rows of a delivery that is in flight are wanted no more.
var (
	ErrDraining  = errors.New("the daemon is stopping")
	ErrCancelled = errors.New("the job was cancelled")
)

// Delivery is a message that this process holds. Nothing of it changes but Message.Data, which is let go of, and
// whether it is halted.
type Delivery struct {
	Message *queue.Delivery
	Key     export.Key
	Job     string
	Shard   string // as events name it
	Dataset string
	Task    string
	Model   string
	Weights string // model_sha256 of who works on it
	Payload string // SHA-256 of the payload, in hex
	Shards  int    // how many the job has; 0 when the message does not say
	// OnRepeat says what becomes of records that the dataset holds already; "" when the message does not say.
	OnRepeat string
	Trace    *telemetry.Shard // nil where it is not told of

	halt   sync.Once
	halted chan struct{} // closed when it is
	why    error
}

// Decode reads a message for a model with these weights. One that cannot be understood is a delivery all the same,
// with an error and no shard; its identity is its place in the stream.
func Decode(m *queue.Delivery, limits jobs.Limits, weights string) (*Delivery, *jobs.Shard, error) {
	shard, err := jobs.Decode(m.Message(), limits)
	return newDelivery(m, shard, weights), shard, err
}

func newDelivery(m *queue.Delivery, shard *jobs.Shard, weights string) *Delivery {
	sum := sha256.Sum256(m.Data)
	if m.Claim != nil {
		sum = m.Claim.Sum()
	}
	d := &Delivery{Message: m, Task: m.Task, Model: m.Model, Weights: weights,
		Payload: hex.EncodeToString(sum[:]), halted: make(chan struct{})}
	if shard != nil {
		d.Job, d.Shard, d.Dataset, d.Shards = shard.Job, shard.EventID(), shard.Dataset, shard.Shards
		d.OnRepeat = shard.OnRepeat
	} else {
		named := m.Message().Named()
		d.Job, d.Shard, d.Dataset = cmp.Or(named.Job, jobs.DefaultJob), named.Shard, named.Dataset
	}
	if shard != nil && shard.KeyID != "" {
		d.Key = export.PayloadKey(shard.Task, shard.Model, shard.Job, shard.KeyID, sum)
	} else {
		d.Shard = cmp.Or(d.Shard, strconv.FormatUint(m.Sequence, 10))
		d.Key = export.SeqKey(m.Stream, m.StreamCreated, m.Sequence, m.Timestamp, d.Job)
	}
	return d
}

// Published is where the message was published at first: a retry of a dead letter is no newer than its letter.
func (d *Delivery) Published() (streamCreated time.Time, sequence uint64) {
	origin := d.Message.Origin
	if d.Message.Retry > 0 && origin.Sequence > 0 && origin.StreamCreated.Year() > 0 {
		return origin.StreamCreated, origin.Sequence
	}
	return d.Message.StreamCreated, d.Message.Sequence
}

// LetterKey names the delivery's dead letter: another payload under the same name has one of its own.
func (d *Delivery) LetterKey() string { return fmt.Sprintf("%s@%d", d.Key, d.Key.Version) }

// Halt says why no more rows of the delivery are wanted. The first reason stays. It never blocks; the delivery ends
// with its next rows.
func (d *Delivery) Halt(why error) {
	d.halt.Do(func() {
		d.why = why
		close(d.halted)
	})
}

// Halting is closed by Halt.
func (d *Delivery) Halting() <-chan struct{} { return d.halted }

// Halted is the reason given to Halt, or nil.
func (d *Delivery) Halted() error {
	select {
	case <-d.halted:
		return d.why
	default:
		return nil
	}
}

// Event is what is told of the delivery, whatever became of it.
func (d *Delivery) Event(kind string) jobs.Event {
	e := jobs.Event{Type: kind, Job: d.Job, Shard: d.Shard, Shards: d.Shards, PayloadSHA256: d.Payload,
		Task: d.Task, Model: d.Model, Dataset: d.Dataset, Time: time.Now()}
	if kind == jobs.EventCommitted || kind == jobs.EventDead {
		e.Published = d.Message.Timestamp
	}
	return e
}
