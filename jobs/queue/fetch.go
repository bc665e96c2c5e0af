package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Fetch returns at once with what is there: at most maxMessages, and at most
// maxBytes in all, but always one message even if it alone is larger. Nothing
// there is no error. A consumer or stream that is gone is ErrConsumerGone: open
// the consumer anew.
func (c *Consumer) Fetch(ctx context.Context, maxMessages, maxBytes int) ([]*Delivery, error) {
	if maxMessages < 1 {
		return nil, nil
	}
	got, refused, err := c.pull(ctx, pullRequest{Batch: maxMessages, MaxBytes: max(maxBytes, 0), NoWait: true})
	if err == nil && len(got) == 0 && refused && maxBytes > 0 {
		got, refused, err = c.pull(ctx, pullRequest{Batch: 1, NoWait: true})
	}
	if err == nil && len(got) == 0 && refused {
		_, _, err = c.Pending(ctx)
		return nil, err
	}
	if err != nil || len(got) == 0 {
		return nil, err
	}
	return c.confirm(ctx, got)
}

// confirm makes sure that the deliveries are of the stream that the consumer was
// opened on: one that was made anew numbers its messages from 1 again.
func (c *Consumer) confirm(ctx context.Context, got []*Delivery) ([]*Delivery, error) {
	created, err := c.q.streamCreated(context.WithoutCancel(ctx))
	if err == nil && !created.Equal(c.created) {
		err = fmt.Errorf("fetch from %s: the stream was made anew: %w", c.subject, ErrConsumerGone)
	}
	if err == nil {
		return got, nil
	}
	for _, d := range got {
		if nak := d.Nak(0); nak != nil {
			break // the server delivers it again after AckWait
		}
	}
	return nil, err
}

func (c *Consumer) pull(ctx context.Context, r pullRequest) (got []*Delivery, refused bool, err error) {
	status, err := c.q.pull(ctx, JobStream, c.name, r, func(msg *nats.Msg) error {
		d, err := c.delivery(msg)
		got = append(got, d)
		return err
	})
	if err != nil && len(got) == 0 {
		return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, lost(err))
	}
	// Deliveries are ours already when an error cuts the rest off; the caller
	// meets it next time.
	return got, status == pullRefused, nil
}

// lost turns nats.go's several ways of saying that the connection is down into one.
func lost(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("no JetStream answers: %w", err)
	}
	return err
}

// ackSubject is what $JS.ACK subjects tell about a delivery.
type ackSubject struct {
	delivered int    // how often this message was
	sequence  uint64 // in the stream
	delivery  uint64 // counts the consumer's deliveries
	timestamp time.Time
	pending   uint64 // how many messages follow
}

const ackPrefix = "$JS.ACK."

// parseAck reads both forms: with the account's domain and hash, and without.
func parseAck(reply string) (ackSubject, error) {
	t := strings.Split(reply, ".")
	switch {
	case !strings.HasPrefix(reply, ackPrefix), len(t) < 9, len(t) == 10:
		return ackSubject{}, fmt.Errorf("the ack subject %q is not of a form that is known", reply)
	case len(t) == 9:
		t = t[4:]
	default:
		t = t[6:]
	}
	var n [5]uint64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseUint(t[i], 10, 63); err != nil {
			return ackSubject{}, fmt.Errorf("the ack subject %q is not of a form that is known", reply)
		}
	}
	return ackSubject{delivered: int(n[0]), sequence: n[1], delivery: n[2], timestamp: time.Unix(0, int64(n[3])).UTC(),
		pending: n[4]}, nil
}
