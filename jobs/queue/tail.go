package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// mostTails bounds what is believed of a letter.
const mostTails = 1 << 20

// publishTails keeps what a letter has no room for.
func (q *Queue) publishTails(ctx context.Context, letter *nats.Msg, rest []byte) error {
	letter.Header.Set(jobs.HeaderTail, strconv.Itoa(len(rest)))
	n := 0
	for ; len(rest) > 0; n++ {
		tail := nats.NewMsg(tailSubject(letter.Subject, n))
		cut := min(len(rest), int(q.nc.MaxPayload())-2*marginBytes)
		tail.Data, rest = rest[:cut], rest[cut:]
		if err := q.publishOnce(ctx, tail); err != nil {
			return err
		}
	}
	if n > 1 {
		letter.Header.Set(jobs.HeaderTails, strconv.Itoa(n))
	}
	return nil
}

func tailSubject(letter string, n int) string {
	if n == 0 {
		return letter + ".tail"
	}
	return letter + ".tail." + strconv.Itoa(n)
}

// tails reads what publishTails kept.
func (q *Queue) tails(ctx context.Context, s jetstream.Stream, e DeadEntry) (rest []byte, err error) {
	for n := range e.tails {
		tail, err := s.GetLastMsgForSubject(ctx, tailSubject(jobs.DeadSubjectOf(e.Task, e.Model, e.ID), n))
		if errors.Is(err, jetstream.ErrMsgNotFound) { // retried meanwhile
			return nil, fmt.Errorf("rest of dead letter %s: %w", e.ID, ErrNotFound)
		}
		if err != nil {
			return nil, fmt.Errorf("rest of dead letter %s: %w", e.ID, lost(err))
		}
		rest = append(rest, tail.Data...)
	}
	return rest, nil
}
