package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// pullRequest is what a consumer is asked for.
type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes,omitempty"`
	NoWait   bool          `json:"no_wait,omitempty"`
	Expires  time.Duration `json:"expires,omitempty"`
}

type pullStatus int

const (
	pullEnded   pullStatus = iota // the batch is full, or no more is there
	pullRefused                   // the server answered with something else
)

// pull asks a consumer once and calls each for every message as it comes. It
// waits a little longer than the request lasts.
func (q *Queue) pull(ctx context.Context, stream, consumer string, r pullRequest,
	each func(*nats.Msg) error) (pullStatus, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return pullEnded, fmt.Errorf("pull from %s: %w", consumer, err)
	}
	inbox := q.nc.NewInbox()
	sub, err := q.nc.SubscribeSync(inbox)
	if err != nil {
		return pullEnded, err
	}
	defer func() {
		_ = sub.Unsubscribe() // fails only where the connection's end has done it
	}()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return pullEnded, err
	}
	if err := q.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+stream+"."+consumer, inbox, body); err != nil {
		return pullEnded, err
	}
	ctx, free := q.link.bind(ctx)
	defer free()
	for range r.Batch {
		msg, err := next(ctx, sub, r.Expires+askTimeout)
		if errors.Is(err, nats.ErrNoResponders) {
			return pullRefused, nil
		}
		if err != nil {
			return pullEnded, reason(ctx, err)
		}
		if !strings.HasPrefix(msg.Reply, ackPrefix) {
			switch msg.Header.Get("Status") {
			case "404", "408":
				return pullEnded, nil
			}
			return pullRefused, nil
		}
		if err := each(msg); err != nil {
			return pullEnded, err
		}
	}
	return pullEnded, nil
}

func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}
