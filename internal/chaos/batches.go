package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"textmill/jobs"
)

// cancelled is a batch that its client ends before its time.
const cancelled = "batch cancelled by its client"

// batchPoints are where a daemon may die that carries out a batch.
var batchPoints = []point{
	{"batch-validated", 2}, {"batch-published", 2}, {"batch-settled", 1}, {"batch-collected", 2}, {"batch-files", 2},
	{"write", 40}, {"after-commit", 3}, {"before-event", 6},
}

const (
	batchesPerWave = 2
	fewestRequests = 20
	moreRequests   = 120 // at most, beyond those
	batchShard     = 16  // records, so that a batch has several
	brokenRequest  = 7   // of each batch, whose body cannot be read
	mostInputs     = 4
	batchCompleted = "completed"
)

// batch is one that was asked for, perhaps without an answer: it may be there or not.
type batch struct {
	name     string              // in its metadata
	requests map[string][]string // by custom_id, the ids of its records
	lines    []byte
	id       string // once it is known to be there
	ended    bool   // its client cancelled it
	known    bool   // its answers were looked at
}

// batchStorm has batches carried out and lets a fault fall into each few.
func (c *cell) batchStorm(ctx context.Context, faults int) error {
	all := make([]*batch, 0, batchesPerWave*(faults+1))
	wave := func() (made []*batch, err error) {
		for range batchesPerWave {
			b, tried, err := c.createBatch(ctx, len(all))
			if all = append(all, tried...); err != nil {
				return nil, err
			}
			made = append(made, b)
		}
		return made, nil
	}
	for n := range faults {
		kind := c.Kinds[c.random.IntN(len(c.Kinds))]
		made, err := wave()
		if err == nil {
			err = pause(ctx, c.upTo(600*time.Millisecond))
		}
		if err == nil && kind == cancelled {
			c.struck(kind)
			err = c.cancelBatch(ctx, made[n%batchesPerWave])
		} else if err == nil {
			err = c.inject(ctx, kind)
		}
		begun := time.Now()
		for _, b := range made {
			if err == nil {
				err = c.judgeBatch(ctx, b)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		c.took(kind, time.Since(begun))
	}
	return c.unanswered(ctx, all)
}

// unanswered looks for batches whose creation nobody confirmed, and for those that were confirmed and are gone.
func (c *cell) unanswered(ctx context.Context, all []*batch) error {
	if err := pause(ctx, askLimit); err != nil { // what a daemon was asked for that slept comes now or never
		return err
	}
	there, err := c.listBatches(ctx)
	if err != nil {
		return err
	}
	for _, b := range all {
		id := there[b.name]
		switch {
		case id == "" && b.id != "":
			c.problem("batch %s was confirmed and is not in the list of batches", b.name)
		case id == "":
			for _, records := range b.requests {
				for _, record := range records {
					delete(c.wants, record)
				}
			}
		case !b.known:
			b.id = id
			if err := c.judgeBatch(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// newBatch makes the requests of a batch: most of one text, some of several, and one that cannot be read.
func (c *cell) newBatch(n int) *batch {
	b := &batch{name: fmt.Sprintf("b%d", n), requests: map[string][]string{}}
	for i := range fewestRequests + c.random.IntN(moreRequests) {
		id := fmt.Sprintf("%s-%d", b.name, i)
		records, fate := []string{id}, row
		var input any
		switch {
		case i == brokenRequest:
			fate = failed
			c.add(id, dataset, fate)
		case c.random.IntN(6) == 0:
			records = nil
			var texts []string
			for k := range 2 + c.random.IntN(mostInputs-1) {
				record := fmt.Sprintf("%s#input[%d]", id, k)
				records, texts = append(records, record), append(texts, c.add(record, dataset, fate))
			}
			input = texts
		default:
			input = c.add(id, dataset, fate)
		}
		line := encode(map[string]any{"custom_id": id, "method": "POST", "url": "/v1/embeddings",
			"body": map[string]any{"model": Model, "input": input}})
		if fate == failed {
			line = []byte(strings.Replace(string(line), "null", `"half a pair \ud800"`, 1))
		}
		b.requests[id], b.lines = records, append(append(b.lines, line...), '\n')
	}
	return b
}

// judgeBatch waits for the end of a batch and holds its files to what was asked: each request is answered once, with
// the right vectors or with why not, and counted.
func (c *cell) judgeBatch(ctx context.Context, b *batch) error {
	b.known = true
	o, err := c.awaitBatch(ctx, b)
	if err != nil {
		return err
	}
	if o.Status != batchCompleted && (!b.ended || o.Status != "cancelled") {
		c.problem("batch %s (%s) is %s", b.name, b.id, o.Status)
	}
	if b.ended && o.Counts.Total == 0 && o.Output == nil && o.Errors == nil { // before it was known what it asks for
		for _, records := range b.requests {
			c.notExecuted(records)
		}
		return nil
	}
	answers := map[string]int{}
	var good, bad int64
	for _, file := range []*string{o.Output, o.Errors} {
		lines, err := c.batchLines(ctx, file)
		if err != nil {
			return fmt.Errorf("batch %s (%s): %w", b.name, b.id, err)
		}
		for i := range lines {
			if file == o.Output {
				good++
			} else {
				bad++
			}
			answers[lines[i].CustomID]++
			c.judgeLine(b, &lines[i], file == o.Output)
		}
	}
	for id, n := range answers {
		if b.requests[id] == nil || n > 1 {
			c.res.Doubled++
			c.problem("batch %s (%s) answers %s %d times", b.name, b.id, id, n)
		}
	}
	for id := range b.requests {
		if answers[id] == 0 {
			c.res.Lost++
			c.problem("batch %s (%s) does not answer %s", b.name, b.id, id)
		}
	}
	if n := o.Counts; n.Completed != good || n.Failed != bad || n.Total != int64(len(b.requests)) {
		c.problem("batch %s (%s) of %d counts %+v and answers %d and %d", b.name, b.id, len(b.requests), n, good, bad)
	}
	return nil
}

// notExecuted notes that records must not be in the table: their client was told so.
func (c *cell) notExecuted(records []string) {
	for _, record := range records {
		c.wants[record].deleted = true
	}
}

// judgeLine compares an answer with what was asked.
func (c *cell) judgeLine(b *batch, l *batchLine, good bool) {
	records, data := b.requests[l.CustomID], l.Response.Body.Data
	if records == nil {
		return // judgeBatch tells
	}
	wrong := ""
	switch code := l.code(); {
	case good && (code != "" || l.Response.Status != 200 || len(data) != len(records)):
		wrong = fmt.Sprintf("status %d, %d vectors, error %q in the file of answers", l.Response.Status, len(data), code)
	case good:
		for i, d := range data {
			if d.Index != i || !near(d.Embedding, c.wants[records[i]].vector) {
				wrong = fmt.Sprintf("another vector at %d", i)
			}
		}
	case b.ended && code == "batch_cancelled":
		c.notExecuted(records)
	case b.ended && code == "incomplete": // a part of its texts was committed
		for _, record := range records {
			c.wants[record].open = true
		}
	case c.wants[records[0]].fate != failed || code != jobs.BadUTF8:
		wrong = "error " + code
	}
	if wrong != "" {
		c.res.Wrong++
		c.problem("batch %s (%s), request %s: %s", b.name, b.id, l.CustomID, wrong)
	}
}
