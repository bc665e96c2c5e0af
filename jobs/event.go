package jobs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

// Types of events.
const (
	EventSubmitted = "submitted"
	EventCommitted = "committed"
	EventDead      = "dead"
	EventCancelled = "cancelled"
	EventDone      = "done"
	EventUnserved  = "unserved" // no daemon serves the job's subject
	// a cancel dropped a shard's message, or without a shard so many messages that nobody had fetched
	EventDropped  = "dropped"
	EventResolved = "resolved" // somebody has dropped a shard's dead letter, or published it as another job
)

// Event tells what became of a job or of one of its shards.
type Event struct {
	Type   string
	Job    string
	Shard  string // committed, dead and resolved; of retry n of a dead letter <shard>/r<n>
	Shards int    // how many the job has, where it is known
	Rows   int64
	Errors int64 // rows with an error among them
	Tokens int64 // that the task generate made

	Messages int64 // dropped: how many

	// What older daemons do not say: a consumer of events treats their absence as "not known". Two models may work on one
	// payload, so a shard's verdict is told apart by its payload, task and model.
	PayloadSHA256 string // of the shard's payload as it came, in hex: tells it from another one under the same name
	Truncated     int64  // rows whose text was cut
	Dropped       int64  // tokens that were cut off in all of them
	// the rows were in the table before, and nobody counted them: Rows are the message's records, the rest is not known
	Uncounted     bool
	LeftOut       int64  // rows that were made and not written, since the table holds their records: see Shard.OnRepeat
	DeadRecords   int64  // of a committed shard: records without a row, since each became a dead letter of its own
	Class, Reason string // of a dead shard; the reason of a resolved one says what was done
	Task, Model   string // of the job
	Dataset       string
	Published     time.Time // of a committed or dead shard: when the server took its message

	Table   string
	Version int64 // of the table
	Time    time.Time
}

// AppendJSON appends the event as it is published.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = appendQuoted(append(dst, `{"type":`...), e.Type)
	dst = appendQuoted(append(dst, `,"job":`...), e.Job)
	if e.Shard != "" {
		dst = appendQuoted(append(dst, `,"shard":`...), e.Shard)
	}
	if e.Shards > 0 {
		dst = strconv.AppendInt(append(dst, `,"shards":`...), int64(e.Shards), 10)
	}
	dst = strconv.AppendInt(append(dst, `,"rows":`...), e.Rows, 10)
	dst = strconv.AppendInt(append(dst, `,"errors":`...), e.Errors, 10)
	if e.Tokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), e.Tokens, 10)
	}
	if e.Messages > 0 {
		dst = strconv.AppendInt(append(dst, `,"messages":`...), e.Messages, 10)
	}
	dst = e.appendPresent(dst)
	if e.Table != "" {
		dst = appendQuoted(append(dst, `,"table":`...), e.Table)
	}
	if e.Table != "" && e.Version >= 0 {
		dst = strconv.AppendInt(append(dst, `,"version":`...), e.Version, 10)
	}
	if !e.Published.IsZero() {
		dst = appendQuoted(append(dst, `,"published":`...), e.Published.UTC().Format(time.RFC3339Nano))
	}
	return append(appendQuoted(append(dst, `,"time":`...), e.Time.UTC().Format(time.RFC3339Nano)), '}')
}

// appendPresent appends what older events lack. What was cut is told of every committed shard whose rows are counted,
// so that 0 is not taken for "not known".
func (e *Event) appendPresent(dst []byte) []byte {
	if e.PayloadSHA256 != "" && e.Type == EventCommitted && !e.Uncounted {
		dst = strconv.AppendInt(append(dst, `,"truncated":`...), e.Truncated, 10)
		dst = strconv.AppendInt(append(dst, `,"n_dropped":`...), e.Dropped, 10)
	}
	if e.LeftOut > 0 {
		dst = strconv.AppendInt(append(dst, `,"left_out":`...), e.LeftOut, 10)
	}
	if e.DeadRecords > 0 {
		dst = strconv.AppendInt(append(dst, `,"dead_records":`...), e.DeadRecords, 10)
	}
	for _, one := range [...]struct{ key, text string }{
		{`,"payload_sha256":`, e.PayloadSHA256}, {`,"class":`, e.Class}, {`,"reason":`, e.Reason},
		{`,"task":`, e.Task}, {`,"model":`, e.Model}, {`,"dataset":`, e.Dataset},
	} {
		if one.text != "" {
			dst = appendQuoted(append(dst, one.key...), one.text)
		}
	}
	return dst
}

// What an event may be at most: far more than any that a daemon publishes. Daemons keep what events say, so nobody may
// have them keep more.
const (
	mostEventBytes = 64 << 10
	mostEventName  = 256 // of a shard, with the number of its retry
)

// ParseEvent reads an event. Types and keys that it does not know are no errors,
// so that a newer daemon may add some.
func ParseEvent(raw []byte) (Event, error) {
	if len(raw) > mostEventBytes {
		return Event{}, fmt.Errorf("event has %d bytes, more than %d", len(raw), mostEventBytes)
	}
	if !jsontext.Value(raw).IsValid() {
		return Event{}, errors.New("event is not valid JSON")
	}
	var e Event
	counted := false
	err := eachMember(raw, "event", func(name string, v jsontext.Value) error {
		if v.Kind() == 'n' {
			return nil
		}
		counted = counted || name == "truncated"
		return e.field(name, v)
	})
	if err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	if e.Type == "" || naming.CheckJob(e.Job) != nil {
		return Event{}, errors.New("event has no type or no valid job")
	}
	for name, text := range map[string]string{"shard": e.Shard, "payload_sha256": e.PayloadSHA256, "class": e.Class,
		"task":  e.Task,
		"model": e.Model, "dataset": e.Dataset} {
		if len(text) > mostEventName {
			return Event{}, fmt.Errorf("event: %s has %d bytes, more than %d", name, len(text), mostEventName)
		}
	}
	e.Uncounted = e.Type == EventCommitted && e.PayloadSHA256 != "" && !counted
	return e, nil
}

func (e *Event) field(name string, v jsontext.Value) (err error) {
	texts := map[string]*string{"type": &e.Type, "job": &e.Job, "shard": &e.Shard, "table": &e.Table,
		"payload_sha256": &e.PayloadSHA256, "class": &e.Class, "reason": &e.Reason,
		"task": &e.Task, "model": &e.Model, "dataset": &e.Dataset}
	times := map[string]*time.Time{"time": &e.Time, "published": &e.Published}
	numbers := map[string]*int64{"rows": &e.Rows, "errors": &e.Errors, "output_tokens": &e.Tokens, "version": &e.Version,
		"messages":  &e.Messages,
		"truncated": &e.Truncated, "n_dropped": &e.Dropped, "dead_records": &e.DeadRecords, "left_out": &e.LeftOut}
	switch {
	case texts[name] != nil:
		if name == "shard" && v.Kind() == '0' {
			e.Shard = string(v)
			return nil
		}
		if v.Kind() != '"' {
			return fmt.Errorf("%s: want a string, have %s", name, kindName(v.Kind()))
		}
		*texts[name] = unquote(v)
	case numbers[name] != nil:
		*numbers[name], err = integer(v, name, 0, math.MaxInt64)
	case name == "shards":
		var n int64
		n, err = integer(v, name, 0, math.MaxInt32)
		e.Shards = int(n)
	case times[name] != nil:
		if v.Kind() != '"' {
			return fmt.Errorf("%s: want a string, have %s", name, kindName(v.Kind()))
		}
		if *times[name], err = time.Parse(time.RFC3339Nano, unquote(v)); err != nil {
			return fmt.Errorf("%s: %q is not a time", name, clip(unquote(v)))
		}
	}
	return err
}
