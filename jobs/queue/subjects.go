package queue

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"textmill/ground/naming"
	"textmill/jobs"
)

// SubjectState says how many messages wait on one exact subject.
type SubjectState struct {
	Subject  string
	Task     string // these are "" when the subject is none of ours
	Model    string
	Job      string // "" when the subject names none
	Messages uint64
}

// Subjects lists the exact subjects of a task and model that hold messages, in
// the order of their names. Some may be malformed: their messages decode to dead
// letters.
func (q *Queue) Subjects(ctx context.Context, task, model string) ([]SubjectState, error) {
	base := jobs.Subject{Task: task, Model: model}.String()
	found, err := q.subjects(ctx, base)
	if err != nil {
		return nil, err
	}
	below, err := q.subjects(ctx, base+".>")
	return append(found, below...), err
}

// UnservedSubjects lists the subjects with messages that served refuses.
func (q *Queue) UnservedSubjects(ctx context.Context, served func(task, model string) bool) ([]SubjectState, error) {
	all, err := q.subjects(ctx, jobSubjects)
	if err != nil {
		return nil, err
	}
	var out []SubjectState
	for _, s := range all {
		if !served(s.Task, s.Model) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (q *Queue) subjects(ctx context.Context, filter string) ([]SubjectState, error) {
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		return nil, q.streamError("look up", JobStream, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, q.streamError("list the subjects of", JobStream, err)
	}
	out := make([]SubjectState, 0, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		state := SubjectState{Subject: subject, Messages: n}
		if p, err := jobs.ParseSubject(subject); err == nil {
			state.Task, state.Model, state.Job = p.Task, p.Model, p.Job
		}
		out = append(out, state)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Subject < out[j].Subject })
	return out, nil
}

// Waiting says how many messages of a subject nobody has settled yet, and how many of them a daemon holds.
func (q *Queue) Waiting(ctx context.Context, subject string) (messages, held uint64, err error) {
	all, err := q.subjects(ctx, subject)
	if err != nil || len(all) == 0 {
		return 0, 0, err
	}
	c := Consumer{q: q, subject: subject, name: consumerName(subject)}
	if _, held, err = c.Pending(ctx); errors.Is(err, ErrConsumerGone) { // nobody has asked for them yet
		held, err = 0, nil
	}
	return all[0].Messages, held, err
}

// Knows says whether there are events or waiting messages of a job.
func (q *Queue) Knows(ctx context.Context, job string) (bool, error) {
	waiting, err := q.subjects(ctx, ownSubjects(job))
	if err != nil || len(waiting) > 0 {
		return len(waiting) > 0, err
	}
	s, err := q.js.Stream(ctx, EventStream)
	if err != nil {
		return false, q.streamError("look up", EventStream, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(jobs.EventSubject(job)))
	if err != nil {
		return false, q.streamError("look for events in", EventStream, err)
	}
	return len(info.State.Subjects) > 0, nil
}

// streamCreated is when the job stream was made: a stream made anew uses its
// sequences again.
func (q *Queue) streamCreated(ctx context.Context) (time.Time, error) {
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return time.Time{}, fmt.Errorf("stream %s: %w", JobStream, ErrConsumerGone)
		}
		return time.Time{}, q.streamError("look up", JobStream, err)
	}
	return s.CachedInfo().Created, nil
}

// Oldest is when the oldest message that the job stream holds was published; now
// when it holds none.
func (q *Queue) Oldest(ctx context.Context) (time.Time, error) {
	asked := time.Now()
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		return time.Time{}, q.streamError("look up", JobStream, err)
	}
	if state := s.CachedInfo().State; state.Msgs > 0 {
		return state.FirstTime, nil
	}
	return asked, nil
}

// LastSequence is that of the newest message that the job stream took.
func (q *Queue) LastSequence(ctx context.Context) (uint64, error) {
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		return 0, q.streamError("look up", JobStream, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// SequenceAfter is one that messages on a job's own subjects have reached or passed if, and only if, the server took
// them after a time.
func (q *Queue) SequenceAfter(ctx context.Context, job string, at time.Time) (uint64, error) {
	s, err := q.js.Stream(ctx, JobStream)
	if err != nil {
		return 0, q.streamError("look up", JobStream, err)
	}
	state := s.CachedInfo().State
	low, high := state.FirstSeq, state.LastSeq+1
	for low < high {
		mid := low + (high-low)/2
		m, err := s.GetMsg(ctx, mid, jetstream.WithGetMsgSubject(ownSubjects(job))) // the first one from mid on
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			high = mid
		case err != nil:
			return 0, fmt.Errorf("look for messages of job %s: %w", job, lost(err))
		case m.Time.After(at):
			high = mid
		default:
			low = m.Sequence + 1
		}
	}
	return low, nil
}

func ownSubjects(job string) string { return jobs.Subject{Task: "*", Model: "*", Job: job}.String() }

// PurgeJob removes a job's messages before a sequence, 0 for all, from its own subjects and says how many there were.
// Messages of the job on a shared subject stay.
func (q *Queue) PurgeJob(ctx context.Context, job string, before uint64) (uint64, error) {
	if err := naming.CheckJob(job); err != nil {
		return 0, fmt.Errorf("purge: job %w", err)
	}
	return q.purge(ctx, JobStream, ownSubjects(job), before)
}
