package daemon

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"

	"textmill/daemon/feed"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// claims reads payloads that lie outside of their messages. All of this process together hold a bounded number of
// bytes.
type claims struct {
	limits jobs.Limits
	most   int64
	room   *semaphore.Weighted
}

// claimsHeld is room for several claims of the usual size at a time.
const claimsHeld = 64 << 20

// newClaims bounds what is held by so many bytes, but one claim of the largest size is always held.
func newClaims(l jobs.Limits, most int64) *claims {
	most = max(most, int64(l.ClaimBytes), 1)
	return &claims{limits: l, most: most, room: semaphore.NewWeighted(most)}
}

// redeem gives a message its whole shard. Whoever feeds in turn does not wait for it. The memory is given back by
// the function that it returns, when the records are fed.
func (c *claims) redeem(ctx context.Context, m *message, turn *feed.Turn) (done func(), err error) {
	none := func() {}
	if m.Message.Claim == nil || m.shard.Claim == nil {
		return none, nil
	}
	if turn != nil {
		turn.HoldUp()
	}
	payload, done, err := c.read(ctx, m.Message)
	if err != nil {
		return none, err
	}
	shard, err := jobs.Decode(m.Message.Whole(payload), c.limits)
	if err == nil {
		err = m.shard.Redeemed(shard)
	}
	if err != nil {
		done()
		return none, err
	}
	m.shard = shard
	return done, nil
}

func (c *claims) read(ctx context.Context, d *queue.Delivery) (payload []byte, done func(), err error) {
	size := min(d.Claim.Size, c.most) // a larger one is refused
	if err := c.room.Acquire(ctx, size); err != nil {
		return nil, nil, fmt.Errorf("wait for room for claim %s: %w", d.Claim.ID, err)
	}
	done = func() { c.room.Release(size) }
	if payload, err = d.Redeem(ctx, int64(c.limits.ClaimBytes)); err != nil {
		done()
		return nil, nil, err
	}
	return payload, done, nil
}

// payload is what a dead letter holds: nil for a claim that cannot be redeemed.
func (c *claims) payload(ctx context.Context, d *queue.Delivery) (payload []byte, done func(), err error) {
	none := func() {}
	if d.Claim == nil {
		payload, err = d.Payload(ctx)
		return payload, none, err
	}
	payload, done, err = c.read(ctx, d)
	if invalid := (*jobs.Invalid)(nil); errors.As(err, &invalid) {
		return nil, none, nil
	}
	return payload, done, err
}
