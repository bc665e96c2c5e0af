package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"textmill/jobs"
)

// RepublishDead publishes a dead letter's payload under another job, as a message of its own, says so in an event of
// its own job, and removes the letter. Repeated after a crash it is the same message.
func (q *Queue) RepublishDead(ctx context.Context, id, job string) (DeadEntry, error) {
	e, err := q.GetDead(ctx, id)
	if err != nil {
		return e, err
	}
	subject, err := jobs.ParseSubject(e.Subject)
	if err != nil {
		return e, fmt.Errorf("publish dead letter %s as job %s: %w", id, job, err)
	}
	resolved := e.resolved("published as job " + job)
	subject.Job = job
	msg := nats.NewMsg(subject.String())
	msg.Header = nats.Header(e.Header.Own())
	if e.Header.Get(jobs.HeaderJob) != "" {
		msg.Header.Set(jobs.HeaderJob, job)
	}
	if msg.Data, err = jobs.WithJob(e.Payload, job); err != nil {
		return e, fmt.Errorf("publish dead letter %s: %w", id, err)
	}
	msg.Header.Set(jobs.HeaderMsgID, fmt.Sprintf("republish/%s/%s", id, job))
	e.Subject, e.Retry = msg.Subject, 0
	if err := q.again(ctx, e, msg); err != nil {
		return e, err
	}
	return e, q.resolve(ctx, e, resolved)
}

// DropDead says in an event of its job that a dead letter is dropped, and removes it.
func (q *Queue) DropDead(ctx context.Context, id string) (DeadEntry, error) {
	e, err := q.GetDead(ctx, id)
	if err != nil {
		return e, err
	}
	return e, q.resolve(ctx, e, e.resolved("dropped, the committed rows are kept"))
}

// resolve removes a letter once it is told what becomes of it: the other way round, a crash between the two would
// leave its job failed for ever.
func (q *Queue) resolve(ctx context.Context, e DeadEntry, as jobs.Event) error {
	if err := q.PublishEvent(ctx, as); err != nil {
		return fmt.Errorf("resolve dead letter %s: %w", e.ID, err)
	}
	return q.removeDead(ctx, e)
}

// resolved is the event that says what was done with a letter, under the names by which its job was told of its death.
func (e *DeadEntry) resolved(how string) jobs.Event {
	sum := sha256.Sum256(e.Payload)
	out := jobs.Event{Type: jobs.EventResolved, Task: e.Task, Model: e.Model, PayloadSHA256: hex.EncodeToString(sum[:]),
		Class: e.Class, Reason: how, Time: time.Now()}
	if c, err := e.Header.Claim(); err == nil && c != nil {
		out.PayloadSHA256 = c.SHA256
	}
	m := jobs.Message{Subject: e.Subject, Header: e.Header, Data: e.Payload, Sequence: e.Sequence}
	if s, err := jobs.Decode(m, jobs.Limits{}); err == nil {
		out.Job, out.Shard, out.Dataset = s.Job, s.EventID(), s.Dataset
		return out
	}
	named := m.Named()
	out.Job, out.Shard, out.Dataset = cmp.Or(named.Job, jobs.DefaultJob),
		cmp.Or(named.Shard, strconv.FormatUint(e.Sequence, 10)), named.Dataset
	return out
}
