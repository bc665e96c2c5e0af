package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type pullRequest struct {
	Batch    int  `json:"batch"`
	MaxBytes int  `json:"max_bytes,omitempty"`
	NoWait   bool `json:"no_wait"`
}

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

// pull asks once. refused says that the server answered with something else than
// messages or the lack of them.
func (c *Consumer) pull(ctx context.Context, r pullRequest) (got []*Delivery, refused bool, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, err)
	}
	inbox := c.q.nc.NewInbox()
	sub, err := c.q.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, lost(err))
	}
	defer func() {
		// A subscription that cannot be ended has lost its connection, which ends it too.
		_ = sub.Unsubscribe()
	}()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, lost(err))
	}
	if err := c.q.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+JobStream+"."+c.name, inbox, body); err != nil {
		return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, lost(err))
	}
	for len(got) < r.Batch {
		msg, err := next(ctx, sub)
		if err != nil {
			if len(got) > 0 { // they are ours already; the caller meets the error next time
				return got, false, nil
			}
			return nil, false, fmt.Errorf("fetch from %s: %w", c.subject, lost(err))
		}
		if !strings.HasPrefix(msg.Reply, ackPrefix) {
			switch msg.Header.Get("Status") {
			case "404", "408":
				return got, false, nil
			}
			return got, true, nil
		}
		d, err := c.delivery(msg)
		if err != nil {
			return got, false, fmt.Errorf("fetch from %s: %w", c.subject, err)
		}
		got = append(got, d)
	}
	return got, false, nil
}

func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	one, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return sub.NextMsgWithContext(one)
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
	delivered int
	sequence  uint64
	timestamp time.Time
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
	var a ackSubject
	var ns int64
	if _, err := fmt.Sscanf(t[0]+" "+t[1]+" "+t[3], "%d %d %d", &a.delivered, &a.sequence, &ns); err != nil {
		return ackSubject{}, fmt.Errorf("the ack subject %q is not of a form that is known", reply)
	}
	a.timestamp = time.Unix(0, ns).UTC()
	return a, nil
}
