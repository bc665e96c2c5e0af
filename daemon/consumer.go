package daemon

import (
	"context"
	"errors"
	"time"

	"textmill/crash"
	"textmill/daemon/feed"
	"textmill/daemon/inflight"
	"textmill/daemon/turns"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

const (
	// pollEvery is how often an idle consumer asks which subjects hold messages.
	pollEvery = 200 * time.Millisecond
	// A turn of the round-robin takes at most so much from one subject.
	turnBytes    = 256 << 10
	turnMessages = 128
	// retireAfter is how long a subject without messages keeps its consumer.
	retireAfter = time.Minute
	// maxConsumers is how many subjects one model serves in a round; where more have messages, they come in turn.
	maxConsumers = 512
	// retireAtOnce bounds how many consumers go between two rounds, which wait meanwhile.
	retireAtOnce = 16
	// maxUnfed bounds the bytes of messages that wait to be fed to one model; one turn may go beyond it.
	maxUnfed = 64 << 20
)

// consumer fetches the deliveries of one model. One goroutine fetches.
type consumer struct {
	*executor
	queue    *queue.Queue
	subjects map[string]*turns.Subject
	most     int // subjects that are served in a round
	free     int // places in this one
	order    turns.Order
}

// newConsumer makes one that has fetched nothing yet.
func newConsumer(q *queue.Queue, e *executor) *consumer {
	return &consumer{executor: e, queue: q, subjects: map[string]*turns.Subject{}, most: maxConsumers}
}

// newFeed bounds what is fetched and not fed: a subject gets no further turn while more than half of one waits.
func newFeed() *feed.Queue {
	return feed.New(feed.Limits{Messages: turnMessages / 2, Bytes: turnBytes / 2, AllBytes: maxUnfed})
}

// consume fetches until ctx ends, and returns when all that had its turn by then is fed; work outlives ctx for what
// was fetched.
func (c *consumer) consume(ctx, work context.Context) {
	defer c.feed.Drain()
	stop := context.AfterFunc(ctx, c.feed.End)
	defer stop()
	idle := time.NewTicker(pollEvery)
	defer idle.Stop()
	for ctx.Err() == nil {
		took := c.round(ctx, work)
		c.retire(ctx)
		if took {
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.feed.Freed():
		case <-idle.C:
		}
	}
}

// round gives every subject with messages one turn. It reports whether any delivery came.
func (c *consumer) round(ctx, work context.Context) bool {
	if !c.committers.Ready(ctx) {
		return false
	}
	states, err := c.queue.Subjects(ctx, c.spec.Task, c.spec.Name)
	if err != nil {
		if ctx.Err() == nil {
			c.log.WarnContext(ctx, "cannot list subjects", "model", c.spec.Name, "error", err)
		}
		return false
	}
	for _, name := range turns.Surplus(c.subjects, states, c.most) {
		c.drop(ctx, name)
	}
	c.order.Sort(states, c.subjects)
	c.free = c.most - turns.Taken(c.subjects)
	took := false
	for _, state := range states {
		if ctx.Err() != nil {
			break
		}
		asked := time.Now()
		deliveries := c.fetch(ctx, state.Subject)
		c.take(work, deliveries, asked)
		took = took || len(deliveries) > 0
	}
	return took
}

// take has deliveries executed, in their order, but those that come often after the others.
func (c *consumer) take(work context.Context, deliveries []*queue.Delivery, asked time.Time) {
	rest, suspects := partSuspects(deliveries)
	first, last := c.decode(rest, asked), c.decode(suspects, asked)
	for _, m := range first {
		c.begin(work, []*message{m}, func(turn *feed.Turn) { c.execute(work, m, turn) })
	}
	for _, batch := range byLine(last) {
		c.begin(work, batch, func(turn *feed.Turn) { c.quarantine(work, batch, turn) })
	}
}

// begin has deliveries of one line run at their turn, after any other of the same identity. Where records enter the
// model in the order in which they are fed, it waits until they are.
func (c *consumer) begin(work context.Context, batch []*message, run func(*feed.Turn)) {
	if !batch[0].leads {
		go func() {
			_ = c.inFlight.Await(work, batch[0].Delivery) // where work ends first, the rest fails in its own way
			run(c.turn(batch))
		}()
		return
	}
	turn := c.turn(batch)
	go run(turn)
	if c.inTurn {
		turn.Follow()
	}
}

// byLine puts those of one job and dataset together; a delivery that waits for another of its identity, or whose
// payload is large and not here, stays by itself.
func byLine(messages []*message) (batches [][]*message) {
	at := map[feed.Line]int{}
	for _, m := range messages {
		i, known := at[m.line()]
		switch {
		case m.leads && m.Message.Claim != nil:
			batches = append(batches, []*message{m})
		case m.leads && known:
			batches[i] = append(batches[i], m)
		case m.leads:
			at[m.line()] = len(batches)
			fallthrough
		default:
			batches = append(batches, []*message{m})
		}
	}
	return batches
}

// decode takes deliveries in that were asked for at some time, so that their leases are kept from now on.
func (c *consumer) decode(deliveries []*queue.Delivery, asked time.Time) (messages []*message) {
	fetched := time.Now()
	for _, d := range deliveries {
		crash.Point("fetched")
		delivery, shard, err := inflight.Decode(d, c.limits, c.spec.SHA256)
		delivery.Trace = c.traced(delivery, asked, fetched)
		c.metrics.Fetched(d.Timestamp, d.Delivered == 1, d.Size)
		messages = append(messages, &message{Delivery: delivery, shard: shard, invalid: err, bytes: len(d.Data),
			fetched: fetched, leads: c.inFlight.Enter(delivery)})
	}
	return messages
}

// traced begins to tell of a delivery's way, if it is one of those that are told of.
func (c *consumer) traced(d *inflight.Delivery, asked, fetched time.Time) *telemetry.Shard {
	m := d.Message
	s := c.traces.Shard(m.Header.Get, telemetry.Names{Job: d.Job, Shard: d.Shard, Dataset: d.Dataset, Task: d.Task,
		Model: d.Model}, fetched)
	s.Span("queue", m.Timestamp, fetched)
	s.Span("fetch", asked, fetched)
	return s
}

// turn gives deliveries of one line their turn at the model, after those before them.
func (c *consumer) turn(batch []*message) *feed.Turn {
	bytes := 0
	for _, m := range batch {
		bytes += m.bytes
	}
	return c.feed.Add(batch[0].line(), batch[0].Message.Subject, len(batch), bytes)
}

// fetch gets what one subject may have in a round.
func (c *consumer) fetch(ctx context.Context, name string) []*queue.Delivery {
	sub := c.subjects[name]
	if sub.Waits() {
		if c.free == 0 {
			return nil
		}
		if sub = c.serve(ctx, name); sub == nil {
			return nil
		}
	}
	if sub.Refused { // until it is forgotten, and asked for again
		return nil
	}
	sub.Seen = time.Now()
	if c.feed.Full(name) {
		return nil
	}
	deliveries, err := sub.Consumer.Fetch(ctx, turnMessages, turnBytes)
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "fetch", "subject", name, "error", err)
		delete(c.subjects, name)
	}
	return deliveries
}

// serve gives a subject its consumer and a place; nil where there is no consumer.
func (c *consumer) serve(ctx context.Context, name string) *turns.Subject {
	consumer, err := c.queue.Consumer(ctx, name, c.spec.SHA256)
	if err != nil {
		c.log.ErrorContext(ctx, "subject not served", "subject", name, "error", err)
		if !errors.Is(err, queue.ErrOtherModel) && !errors.Is(err, queue.ErrConsumerDiffers) {
			return nil
		}
	}
	sub := &turns.Subject{Consumer: consumer, Refused: err != nil, Seen: time.Now()}
	if !sub.Refused {
		sub.Place = c.order.Enter(name)
		c.free--
	}
	c.subjects[name] = sub
	return sub
}

// retire removes the consumers of subjects that have been empty for long.
func (c *consumer) retire(ctx context.Context) {
	retired := 0
	for name, sub := range c.subjects {
		if time.Since(sub.Seen) < retireAfter {
			continue
		}
		c.drop(ctx, name)
		if retired++; retired == retireAtOnce {
			return
		}
	}
}

// drop takes a subject's place, and removes its consumer unless work is on it, this daemon's or another's, or waits:
// then that is tried again later.
func (c *consumer) drop(ctx context.Context, name string) {
	sub := c.subjects[name]
	removed, err := sub.Refused, error(nil)
	if !removed {
		removed, err = sub.Consumer.Remove(ctx)
	}
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "remove idle consumer", "subject", name, "error", err)
	}
	if removed {
		delete(c.subjects, name)
		return
	}
	sub.Place, sub.Seen = 0, time.Now()
}
