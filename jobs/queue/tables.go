package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// PublishTableCommit returns when the event is in the stream. The same commit published again within the duplicate
// window is dropped there.
func (q *Queue) PublishTableCommit(ctx context.Context, c jobs.TableCommit) error {
	data, err := c.AppendEvent(nil)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(jobs.TableSubject(c.Dataset))
	msg.Data = data
	msg.Header.Set(jobs.HeaderMsgID, fmt.Sprintf("table/%s/%d", c.TableID, c.Version))
	return q.publish(ctx, msg, failWhenFull)
}

// LastTableCommit is what was published last of a dataset's commits; ErrNotFound where nothing was.
func (q *Queue) LastTableCommit(ctx context.Context, dataset string) (jobs.TableCommit, error) {
	s, err := q.js.Stream(ctx, EventStream)
	if err != nil {
		return jobs.TableCommit{}, q.streamError("look up", EventStream, err)
	}
	m, err := s.GetLastMsgForSubject(ctx, jobs.TableSubject(dataset))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return jobs.TableCommit{}, fmt.Errorf("commits of dataset %s: %w", dataset, ErrNotFound)
	}
	if err != nil {
		return jobs.TableCommit{}, fmt.Errorf("commits of dataset %s: %w", dataset, lost(err))
	}
	c, err := jobs.ParseTableCommit(m.Data)
	if err != nil {
		return c, fmt.Errorf("commits of dataset %s: %w: %w", dataset, ErrNotFound, err)
	}
	return c, nil
}
