package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// follower reads a stream in order from its first message, without acks, and
// goes on where it was after a lost connection. A stream that was made anew or
// went back in time is read from its start.
type follower struct {
	q           *Queue
	stream      string
	filter      string
	headersOnly bool

	name    string    // of the consumer in use, "" before the first
	created time.Time // of the stream
	next    uint64    // sequence to go on with
	count   uint64    // deliveries of the consumer in use
	pending uint64    // messages that follow the last one read
}

var errGap = errors.New("a message did not arrive")

const followWait = 3 * time.Second

// open makes a consumer that begins at the follower's place.
func (f *follower) open(ctx context.Context) error {
	s, err := f.q.js.Stream(ctx, f.stream)
	if err != nil {
		return f.q.streamError("follow", f.stream, err)
	}
	info := s.CachedInfo()
	if f.next == 0 || !info.Created.Equal(f.created) || info.State.LastSeq+1 < f.next {
		f.next, f.created = 1, info.Created
	}
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject:     f.filter,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.next,
		AckPolicy:         jetstream.AckNonePolicy,
		MaxDeliver:        1,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: time.Minute,
		HeadersOnly:       f.headersOnly,
	})
	if err != nil {
		return f.q.streamError("follow", f.stream, err)
	}
	f.name, f.count, f.pending = c.CachedInfo().Name, 0, c.CachedInfo().NumPending
	return nil
}

// read calls each for what comes within one request; wait 0 returns at once with
// what is there. After an error the next read begins with a new consumer.
func (f *follower) read(ctx context.Context, batch int, wait time.Duration,
	each func(*nats.Msg, ackSubject) error) error {
	if f.name == "" {
		if err := f.open(ctx); err != nil {
			return err
		}
	}
	r, before := pullRequest{Batch: batch, NoWait: wait == 0, Expires: wait}, f.count
	status, err := f.q.pull(ctx, f.stream, f.name, r, func(msg *nats.Msg) error {
		a, err := parseAck(msg.Reply)
		if err != nil {
			return err
		}
		if f.count++; a.delivery != f.count {
			return errGap
		}
		f.next, f.pending = a.sequence+1, a.pending
		return each(msg, a)
	})
	switch {
	case err != nil:
	case status == pullRefused:
		err = ErrConsumerGone
	case f.count == before && f.pending > 0: // they were sent and lost, or removed meanwhile
		err = errGap
	}
	if err != nil {
		f.close()
		return fmt.Errorf("follow %s: %w", f.filter, lost(err))
	}
	return nil
}

// close removes the consumer; the server would do it after a minute.
func (f *follower) close() {
	if f.name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if f.q.nc.IsConnected() {
		_ = f.q.js.DeleteConsumer(ctx, f.stream, f.name) // as above
	}
	f.name = ""
}
