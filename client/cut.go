package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
)

const (
	// A shard is large enough that its message costs little beside its work, and small enough that
	// several daemons share a job evenly and a redelivery repeats little.
	targetBytes   = 256 << 10
	targetRecords = 500
	targetPrompts = 32 // of the task generate, whose records take seconds each

	// headroom is what a message's headers may take of the server's limit.
	headroom      = 4 << 10
	longestKeptID = 4 << 10
	// unknownMaxPayload stands for the server's limit where there is no server to ask.
	unknownMaxPayload = 1 << 20
)

// shard is one message of a job.
type shard struct {
	number  int
	payload []byte // valid until emit returns
	records int    // 0 where it points to them
	errors  int
	// referred is how many bytes it points to: of a Parquet file, those of the whole.
	referred int64
}

func (s shard) id() string { return strconv.Itoa(s.number) }

func (s shard) sum() [sha256.Size]byte { return sha256.Sum256(s.payload) }

// content is the hash of all in a shard's payload but the job's name.
func (c *cutter) content(s shard) [sha256.Size]byte {
	return sha256.Sum256(c.envelope().AfterJob(s.payload))
}

// msgID names the shard's bytes and whom they are for, so that the server drops what is published twice in a short
// time.
func (c *cutter) msgID(s shard, sum [sha256.Size]byte) string {
	return strings.Join([]string{c.job, s.id(), hex.EncodeToString(sum[:8]), c.task, c.model}, "/")
}

// cutter fills shards with records. The same records in the same order, with the same job and params, give
// the same shards: that is what makes a job resumable.
type cutter struct {
	task, model, job, dataset string
	sync                      string // whose staging table the rows go into; "" for the dataset itself
	onRepeat                  string // what becomes of records that the dataset holds; "" where the daemon decides
	params                    map[string]string
	limits                    jobs.Limits
	target, most              int  // bytes of a payload: where one is closed, and what a message or a claim carries
	anyModel                  bool // do not compare the model that a record names
	emit                      func(shard) error

	records    int // in a shard, at most
	paramsJSON []byte
	dimensions int
	open       shard
	number     int
	line       []byte
	payload    []byte // the last shard's, to be used again
}

// newCutter prepares for messages of at most maxPayload bytes in all.
func newCutter(c cutter, maxPayload int64) (*cutter, error) {
	c.most = int(min(maxPayload, 64<<20)) - headroom
	if c.most < headroom {
		return nil, fmt.Errorf("the NATS server's max_payload is %d bytes; textmill needs at least %d", maxPayload,
			2*headroom)
	}
	c.target, c.most = min(targetBytes, c.most), max(c.most, c.limits.ClaimBytes)
	c.records = targetRecords
	if c.task == naming.TaskGenerate {
		c.records = targetPrompts
	}
	if most := c.limits.RecordsPerShard; most > 0 {
		c.records = min(c.records, most)
	}
	err := c.setDimensions(0)
	return &c, err
}

// setDimensions makes the params that the shards from here on carry.
func (c *cutter) setDimensions(n int) error {
	params := c.params
	if n > 0 {
		params = maps.Clone(params)
		if params == nil {
			params = map[string]string{}
		}
		params["dimensions"] = strconv.Itoa(n)
	}
	var err error
	c.paramsJSON, err = jobs.ParamsJSON(c.task, params)
	c.dimensions = n
	return err
}

// judge sets the error of a record that is none for this job, as far as that can be told without the model.
func (c *cutter) judge(it *input.Item) {
	rec := &it.Record
	if it.Task != "" && it.Task != c.task && rec.Err == nil {
		rec.Err = &jobs.RecordError{Class: jobs.InvalidRecord, Message: fmt.Sprintf(
			"line %d: the request is for the task %s, the job's task is %s; submit it with a model of that task", it.Line,
			it.Task, c.task)}
	}
	if it.Model != "" && !c.anyModel && rec.Err == nil && !sameModel(it.Model, c.model) {
		rec.Err = &jobs.RecordError{Class: jobs.InvalidParam, Message: fmt.Sprintf(
			"line %d: body.model is %q, the job's model is %q; use --force to send it all the same", it.Line, it.Model,
			c.model)}
	}
	rec.Check(c.task, c.limits)
	c.line = rec.AppendJSON(c.line[:0])
	if len(c.line)+c.frame() > c.most {
		c.line = c.cannotCarry(rec, it.Line)
	}
}

// add puts one record into the shard at hand, after closing that where the record does not fit. A record
// that no message can carry is put in as an error.
func (c *cutter) add(it *input.Item) error {
	if err := c.turnTo(it.Dimensions); err != nil {
		return fmt.Errorf("line %d: %w", it.Line, err)
	}
	c.judge(it)
	return c.carry(it.Record.Err != nil)
}

// turnTo closes the shard at hand where it has other dimensions.
func (c *cutter) turnTo(dimensions int) error {
	if dimensions == c.dimensions {
		return nil
	}
	return errors.Join(c.flush(), c.setDimensions(dimensions))
}

// carry puts the record in c.line into the shard at hand, after closing that where it does not fit.
func (c *cutter) carry(invalid bool) error {
	if c.open.records > 0 && (len(c.open.payload)+1+len(c.line)+2 > c.target || c.open.records == c.records) {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.open.records == 0 {
		c.begin()
	} else {
		c.open.payload = append(c.open.payload, ',')
	}
	c.open.payload = append(c.open.payload, c.line...)
	c.open.records++
	if invalid {
		c.open.errors++
	}
	return nil
}

// cannotCarry replaces a record that is too big for any message by its error.
func (c *cutter) cannotCarry(rec *jobs.Record, line int64) []byte {
	size := len(c.line)
	where := fmt.Sprintf("line %d", line)
	if line == 0 { // a whole file
		where = rec.ID
	}
	*rec = jobs.Record{ID: rec.ID, Attributes: input.KeepPart(rec.Attributes), Err: &jobs.RecordError{Class: jobs.TooLong,
		Message: fmt.Sprintf(
			"%s: the record takes %d bytes of a message, %d are allowed; split the text, or raise limits.claim_bytes here and at the daemons",
			where, size, c.most-c.frame())}}
	if len(rec.ID) > longestKeptID {
		rec.ID = ""
	}
	return rec.AppendJSON(c.line[:0])
}

// frame bounds what a payload holds beside its records.
func (c *cutter) frame() int {
	return len(c.job) + len(c.dataset) + len(c.paramsJSON) + len(c.sync) + 140
}

func (c *cutter) begin() {
	c.open = shard{number: c.number, payload: c.envelope().Open(c.payload[:0])}
}

func (c *cutter) envelope() *jobs.Envelope {
	return &jobs.Envelope{Job: c.job, Shard: strconv.Itoa(c.number), Dataset: c.dataset, Sync: c.sync,
		OnRepeat: c.onRepeat, Params: c.paramsJSON}
}

// flush hands out the shard at hand, if it has records.
func (c *cutter) flush() error {
	if c.open.records == 0 {
		return nil
	}
	c.open.payload = c.envelope().Close(c.open.payload)
	done := c.open
	c.open, c.payload = shard{}, done.payload
	c.number++
	return c.emit(done)
}
