package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// Codes of the server's API that nats.go has no name for.
const (
	codeStoreFailed           jetstream.ErrorCode = 10077 // also a full stream with DiscardNew
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeInsufficientStorage   jetstream.ErrorCode = 10047
)

// JobMessage is a message to publish on textmill.jobs.>.
type JobMessage struct {
	Subject string
	MsgID   string // the same for the same message; repeats within the duplicate window are dropped
	Header  jobs.Header
	Data    []byte // not to be changed before Flush returns
}

// publisher bounds what PublishJob has sent and the server has not confirmed.
type publisher struct {
	mu           sync.Mutex
	changed      chan struct{} // closed and replaced whenever something is confirmed
	bytes, count int
	mostBytes    int
	mostCount    int
	err          error
	full         seldom
}

func (p *publisher) init(mostBytes, mostCount int) {
	p.changed = make(chan struct{})
	if p.mostBytes = mostBytes; mostBytes <= 0 {
		p.mostBytes = 32 << 20
	}
	if p.mostCount = mostCount; mostCount <= 0 {
		p.mostCount = 256
	}
}

// PublishJob sends a message and returns before the server confirms it; it blocks
// while too much is unconfirmed. One that is larger than the server carries leaves its
// payload in the stream of claims first. A full stream and a lost connection are waited
// out until ctx ends. An error of an earlier message is returned by every later
// call and by Flush.
func (q *Queue) PublishJob(ctx context.Context, m JobMessage) error {
	msg := &nats.Msg{Subject: m.Subject, Header: natsHeader(m.Header), Data: m.Data}
	if m.MsgID != "" {
		msg.Header.Set(jobs.HeaderMsgID, m.MsgID)
	}
	size, err := q.checkSize(msg)
	if err != nil && m.claimable() {
		size, err = len(msg.Data), nil
	}
	if err != nil {
		return err
	}
	if err := q.pub.acquire(ctx, size); err != nil {
		return err
	}
	go func() {
		err := q.publishWhole(ctx, msg, waitForRoom)
		q.pub.release(size, err)
	}()
	return nil
}

// claimable says whether a payload that is too large may lie elsewhere: with those of its job.
func (m *JobMessage) claimable() bool {
	s, err := jobs.ParseSubject(m.Subject)
	return err == nil && s.Job != ""
}

// Flush waits until everything that PublishJob has sent is confirmed.
func (q *Queue) Flush(ctx context.Context) error {
	p := &q.pub
	for {
		p.mu.Lock()
		err, count, changed := p.err, p.count, p.changed
		p.mu.Unlock()
		if err != nil || count == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d messages are not confirmed: %w", count, context.Cause(ctx))
		case <-changed:
		}
	}
}

func (p *publisher) acquire(ctx context.Context, size int) error {
	for {
		p.mu.Lock()
		if p.err != nil {
			defer p.mu.Unlock()
			return p.err
		}
		if p.count == 0 || p.count < p.mostCount && p.bytes+size <= p.mostBytes {
			p.count++
			p.bytes += size
			p.mu.Unlock()
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

func (p *publisher) release(size int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count--
	p.bytes -= size
	if p.err == nil {
		p.err = err
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func natsHeader(h jobs.Header) nats.Header {
	out := make(nats.Header, len(h)+2)
	for name, values := range h {
		out[name] = values
	}
	return out
}

// checkSize refuses what the server would cut the connection for.
func (q *Queue) checkSize(msg *nats.Msg) (int, error) {
	size := len(msg.Data) + headerSize(msg.Header)
	if most := q.nc.MaxPayload(); most > 0 && int64(size) > most {
		return 0, fmt.Errorf("publish to %s: %w: %d bytes, its max_payload is %d", msg.Subject, ErrTooLarge, size, most)
	}
	return size, nil
}

// headerSize is what the headers take on the wire.
func headerSize(h nats.Header) int {
	if len(h) == 0 {
		return 0
	}
	n := len("NATS/1.0\r\n\r\n")
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

type onFull bool

const (
	failWhenFull onFull = false
	waitForRoom  onFull = true
)

// publish sends msg until the stream confirms it, ctx ends or the server says
// that it never will. It must be idempotent: by its message id, or by the
// sequence that it expects.
func (q *Queue) publish(ctx context.Context, msg *nats.Msg, full onFull) error {
	_, err := q.publishAt(ctx, msg, full)
	return err
}

// publishAt is publish that tells the sequence of the message.
func (q *Queue) publishAt(ctx context.Context, msg *nats.Msg, full onFull) (uint64, error) {
	for attempt := 0; ; attempt++ {
		denied := q.denied.Load()
		sequence, err := q.publishNow(ctx, msg)
		switch {
		case err == nil:
			return sequence, nil
		case q.denied.Load() != denied:
			return 0, fmt.Errorf("publish to %s: %w: the user lacks a permission", msg.Subject, ErrRefused)
		case full == failWhenFull && isFull(err):
			return 0, fmt.Errorf("publish to %s: %w: %w", msg.Subject, ErrFull, err)
		case !q.mayRetry(err, msg.Subject):
			return 0, fmt.Errorf("publish to %s: %w", msg.Subject, err)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("publish to %s: %w (%w)", msg.Subject, context.Cause(ctx), err)
		case <-q.closed:
			return 0, fmt.Errorf("publish to %s: %w", msg.Subject, nats.ErrConnectionClosed)
		case <-time.After(delay(attempt)):
		}
	}
}

func (q *Queue) publishNow(ctx context.Context, msg *nats.Msg) (uint64, error) {
	bound, free := q.link.bind(ctx)
	defer free()
	one, cancel := context.WithTimeout(bound, askTimeout)
	defer cancel()
	ack, err := q.js.PublishMsg(one, msg, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, reason(bound, err)
	}
	return ack.Sequence, nil
}

// mayRetry says whether the same message may get through later.
func (q *Queue) mayRetry(err error, subject string) bool {
	if isFull(err) {
		q.pub.tellFull(q, subject, err)
		return true
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503
	}
	return !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrMaxPayload) &&
		!errors.Is(err, nats.ErrBadSubject)
}

// isFull also holds for a store that fails, which the server does not tell apart.
func isFull(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeStoreFailed, codeInsufficientResources, codeInsufficientStorage:
		return true
	}
	return false
}

// tellFull logs that publishing waits.
func (p *publisher) tellFull(q *Queue, subject string, err error) {
	stream := JobStream
	if strings.HasPrefix(subject, strings.TrimSuffix(jobs.AllClaims, ">")) {
		stream = ClaimStream
	}
	if p.full.due() > 0 {
		q.log.Info("the stream takes no more for now, waiting", "stream", stream, "server", q.server, "error", err)
	}
}

// PublishEvent returns when the event is in the stream. The same event published
// again within the duplicate window is dropped there.
func (q *Queue) PublishEvent(ctx context.Context, e jobs.Event) error {
	e.Reason = oneLine(e.Reason, reasonBytes)
	msg := nats.NewMsg(jobs.EventSubject(e.Job))
	msg.Data = e.AppendJSON(nil)
	msg.Header.Set(jobs.HeaderMsgID, eventID(e))
	err := q.publish(ctx, msg, failWhenFull)
	return err
}

// eventID is the same for repeats of what an event tells, whenever they are sent, and another one for another payload
// or model under the same name. What may truly come again soon is told apart by its time, a death by that of its
// message.
func eventID(e jobs.Event) string {
	parts := []string{e.Type, e.Job, e.Shard, strconv.Itoa(e.Shards), e.Table, e.PayloadSHA256, e.Task, e.Model}
	switch {
	case e.Type == jobs.EventCancelled, e.Type == jobs.EventResolved, e.Type == jobs.EventDropped && e.Shard == "":
		parts = append(parts, strconv.FormatInt(e.Time.UnixNano(), 10))
	case e.Type == jobs.EventDead:
		parts = append(parts, strconv.FormatInt(e.Published.UnixNano(), 10))
	}
	return strings.Join(parts, "/")
}
