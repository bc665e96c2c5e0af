package queue

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"textmill/jobs"
)

// ListDead calls each for every dead letter that was there at the start, the
// oldest first, without payloads; it ends early when each returns false.
func (q *Queue) ListDead(ctx context.Context, each func(DeadEntry) bool) error {
	f := q.deadFollower()
	defer f.close()
	if err := f.open(ctx); err != nil {
		return err
	}
	return f.eachDead(ctx, each)
}

func (q *Queue) deadFollower() *follower {
	return &follower{q: q, stream: DeadStream, filter: jobs.DeadSubjectOf("*", "*", "*"), headersOnly: true}
}

// NewestDead gives the latest dead letters, the newest first, without payloads, and how many there are in all. What is
// older is not read.
func (q *Queue) NewestDead(ctx context.Context, most int) (newest []DeadEntry, all uint64, err error) {
	f := q.deadFollower()
	defer func() { f.close() }()
	if err := f.open(ctx); err != nil {
		return nil, 0, err
	}
	all = f.pending
	s, err := q.js.Stream(ctx, DeadStream)
	if err != nil {
		return nil, 0, q.streamError("look up", DeadStream, err)
	}
	last, created := s.CachedInfo().State.LastSeq, f.created
	// Letters may take several messages, and some are gone: how far back the wanted ones begin is found by doubling.
	for back := uint64(2 * most); f.pending > uint64(2*most) && back/2 <= last; back *= 2 {
		f.close()
		f = q.deadFollower()
		f.created, f.next = created, max(last, back)-back+1
		if err := f.open(ctx); err != nil {
			return nil, 0, err
		}
		if f.pending >= uint64(most) {
			break
		}
		f.pending = all
	}
	err = f.eachDead(ctx, func(e DeadEntry) bool { newest = append(newest, e); return true })
	slices.Reverse(newest)
	return newest[:min(len(newest), most)], all, err
}

// eachDead reads what there is from the follower's place on.
func (f *follower) eachDead(ctx context.Context, each func(DeadEntry) bool) error {
	errEnough := errors.New("enough")
	for left := f.pending; left > 0; {
		before := left
		err := f.read(ctx, int(min(left, 256)), 0, func(msg *nats.Msg, a ackSubject) error {
			left--
			h := jobs.Header(msg.Header)
			size, _ := strconv.Atoi(h.Get("Nats-Msg-Size"))
			if e, ok := deadEntry(msg.Subject, h, size, a.sequence, a.timestamp); ok && !each(e) {
				return errEnough
			}
			return nil
		})
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err != nil && !errors.Is(err, errGap):
			return err
		case err == nil && left == before: // the rest was removed meanwhile
			return nil
		}
	}
	return nil
}
