package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"textmill/ground/naming"
)

const modelKey = "model_sha256"

// Consumer is the durable of one exact subject, shared by every daemon that
// serves it.
type Consumer struct {
	q       *Queue
	subject string
	name    string
	ackWait time.Duration
	created time.Time // of the stream
}

// Consumer opens the durable of a subject and creates it if absent. One that was
// made for another model file is ErrOtherModel; one whose settings would lose
// messages is ErrConsumerDiffers; nothing is ever changed.
func (q *Queue) Consumer(ctx context.Context, subject, modelSHA256 string) (*Consumer, error) {
	c := &Consumer{q: q, subject: subject, name: consumerName(subject)}
	var err error
	if c.created, err = q.streamCreated(ctx); err != nil {
		return nil, err
	}
	have, err := q.js.Consumer(ctx, JobStream, c.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		have, err = q.js.CreateConsumer(ctx, JobStream, jetstream.ConsumerConfig{
			Durable:       c.name,
			Description:   subject,
			FilterSubject: subject,
			AckPolicy:     jetstream.AckExplicitPolicy,
			AckWait:       q.ackWait,
			MaxDeliver:    -1,
			MaxAckPending: -1,
			Metadata:      map[string]string{modelKey: modelSHA256},
		})
		if errors.Is(err, jetstream.ErrConsumerExists) { // another daemon was faster
			have, err = q.js.Consumer(ctx, JobStream, c.name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", subject, lost(err))
	}
	if err := c.check(have.CachedInfo().Config, modelSHA256); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Consumer) check(have jetstream.ConsumerConfig, modelSHA256 string) error {
	if other := have.Metadata[modelKey]; other != modelSHA256 {
		return fmt.Errorf("consumer of %s: %w: theirs is %s, ours is %s; serve it with the same files, or under another model name",
			c.subject, ErrOtherModel, other, modelSHA256)
	}
	var wrong []string
	differ := func(ok bool, setting string, have, want any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %v and must be %v", setting, have, want))
		}
	}
	differ(have.FilterSubject == c.subject, "filter_subject", have.FilterSubject, c.subject)
	differ(have.AckPolicy == jetstream.AckExplicitPolicy, "ack_policy", have.AckPolicy, jetstream.AckExplicitPolicy)
	differ(have.DeliverPolicy == jetstream.DeliverAllPolicy, "deliver_policy", have.DeliverPolicy,
		jetstream.DeliverAllPolicy)
	differ(have.MaxDeliver <= 0, "max_deliver", have.MaxDeliver, -1)
	differ(len(have.BackOff) == 0, "backoff", have.BackOff, "empty")
	differ(!have.HeadersOnly, "headers_only", have.HeadersOnly, false)
	if wrong != nil {
		return fmt.Errorf("consumer of %s: %w: %s; remove it with `nats consumer rm %s %s`",
			c.subject, ErrConsumerDiffers, strings.Join(wrong, "; "), JobStream, c.name)
	}
	c.ackWait = have.AckWait
	if have.AckWait != c.q.ackWait || have.MaxAckPending > 0 {
		c.q.log.Warn("consumer keeps the settings it was made with", "subject", c.subject,
			"ack_wait", have.AckWait, "wanted_ack_wait", c.q.ackWait, "max_ack_pending", have.MaxAckPending)
	}
	return nil
}

// consumerName is another for every subject, and says to people which it is.
func consumerName(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	readable := naming.Dashed(strings.TrimPrefix(subject, strings.TrimSuffix(jobSubjects, ">")))
	if len(readable) > 160 {
		readable = readable[:160]
	}
	return readable + "-" + hex.EncodeToString(sum[:8])
}

// Subject is the exact subject that the consumer delivers.
func (c *Consumer) Subject() string { return c.subject }

// AckWait is how long a delivery stays ours without InProgress.
func (c *Consumer) AckWait() time.Duration { return c.ackWait }

// Pending says how many messages wait and how many are delivered and not acked,
// by any daemon. A consumer that is gone is ErrConsumerGone.
func (c *Consumer) Pending(ctx context.Context) (waiting, unacked uint64, err error) {
	have, err := c.q.js.Consumer(ctx, JobStream, c.name)
	if err != nil {
		return 0, 0, c.gone("look up", err)
	}
	info := have.CachedInfo()
	return info.NumPending, uint64(info.NumAckPending), nil
}

// Remove deletes the durable if nothing waits and nothing is unacked, and reports
// whether it did. What is published afterwards stays in the stream for the next
// consumer.
func (c *Consumer) Remove(ctx context.Context) (bool, error) {
	waiting, unacked, err := c.Pending(ctx)
	if errors.Is(err, ErrConsumerGone) {
		return true, nil
	}
	if err != nil || waiting+unacked > 0 {
		return false, err
	}
	// The consumer learns of a message a little later than the stream.
	left, err := c.q.subjects(ctx, c.subject)
	if err != nil || len(left) > 0 {
		return false, err
	}
	err = c.q.js.DeleteConsumer(ctx, JobStream, c.name)
	if err = c.gone("remove", err); err != nil && !errors.Is(err, ErrConsumerGone) {
		return false, err
	}
	return true, nil
}

func (c *Consumer) gone(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrConsumerDoesNotExist),
		errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("%s consumer of %s: %w", verb, c.subject, ErrConsumerGone)
	}
	return fmt.Errorf("%s consumer of %s: %w", verb, c.subject, lost(err))
}
