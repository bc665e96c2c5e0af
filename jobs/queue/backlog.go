package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// Backlog is what no daemon has settled yet of a task and model: messages that wait or are in flight.
type Backlog struct {
	Messages uint64
	Oldest   time.Time // when the oldest of them was published; zero where there is none
}

// Backlog asks the stream of jobs.
func (q *Queue) Backlog(ctx context.Context, task, model string) (b Backlog, err error) {
	states, err := q.Subjects(ctx, task, model)
	if err != nil {
		return Backlog{}, err
	}
	for _, s := range states {
		b.Messages += s.Messages
	}
	if b.Messages == 0 {
		return b, nil
	}
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		return Backlog{}, q.streamError("look up", JobStream, err)
	}
	state := s.CachedInfo().State
	if state.Msgs == b.Messages { // it holds nothing else, and need not send a message to say how old it is
		b.Oldest = state.FirstTime
		return b, nil
	}
	base := jobs.Subject{Task: task, Model: model}.String()
	for _, filter := range []string{base, base + ".>"} {
		m, err := s.GetMsg(ctx, max(state.FirstSeq, 1), jetstream.WithGetMsgSubject(filter))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return Backlog{}, fmt.Errorf("look for the oldest message of %s: %w", base, lost(err))
		case b.Oldest.IsZero() || m.Time.Before(b.Oldest):
			b.Oldest = m.Time
		}
	}
	return b, nil
}

// StreamSize is how large a stream is, and may be; a limit of 0 is none.
type StreamSize struct {
	Name            string
	Messages        int64
	Bytes, MaxBytes int64
}

// StreamSizes are those of the streams that there are.
func (q *Queue) StreamSizes(ctx context.Context) ([]StreamSize, error) {
	var all []StreamSize
	for _, name := range []string{JobStream, ClaimStream, DeadStream, EventStream} {
		s, err := q.js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			continue
		case err != nil:
			return nil, q.streamError("look up", name, err)
		}
		all = append(all, sizeOf(s.CachedInfo()))
	}
	return all, nil
}

func sizeOf(s *jetstream.StreamInfo) StreamSize {
	return StreamSize{s.Config.Name, int64(s.State.Msgs), int64(s.State.Bytes), max(s.Config.MaxBytes, 0)}
}
