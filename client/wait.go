package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	lookEvery  = 2 * time.Second  // at what the queue still holds
	sayEvery   = 30 * time.Second // what is waited for, when nothing happens
	askServing = 5 * time.Second  // who serves the model, when nobody holds any of it
)

// wait returns when every shard has its verdict, or nobody will give one.
func (s *submission) wait(ctx context.Context, q *queue.Queue) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	v := vigil{s: s, subject: jobs.Subject{Task: s.o.Task, Model: s.o.Model, Job: s.o.Job}.String(), said: now()}
	for {
		select {
		case <-s.progress.over:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: the job goes on; see it with textmill watch %s, end it with textmill cancel %s",
				interruption(ctx), s.o.Job, s.o.Job)
		case <-tick.C:
			if v.inVain(ctx, q) {
				return nil
			}
		}
	}
}

// vigil looks after a wait: that it is not for ever, and not in silence.
type vigil struct {
	s       *submission
	subject string
	changes int       // verdicts when it looked last
	gone    bool      // no message was left then
	asked   time.Time // who serves the model
	said    time.Time // anything
}

// inVain says that nothing is left in the queue of what is waited for, and that no verdict came. The verdict on a
// message is told before it leaves the queue, so it will not come.
func (v *vigil) inVain(ctx context.Context, q *queue.Queue) bool {
	left, held, err := q.Waiting(ctx, v.subject)
	if err != nil { // the connection's loss is logged, and who may not look waits for events alone
		return false
	}
	v.s.progress.holds(held)
	c := v.s.progress.now()
	quiet := c.changes == v.changes
	if !quiet {
		v.said = now()
	}
	inVain := quiet && left == 0 && v.gone
	v.changes, v.gone = c.changes, left == 0
	if quiet && left > 0 {
		v.speak(ctx, q, left, held)
	}
	return inVain
}

// speak says now and then what is waited for.
func (v *vigil) speak(ctx context.Context, q *queue.Queue, left, held uint64) {
	if held == 0 && now().Sub(v.asked) > askServing {
		first := v.asked.IsZero()
		v.asked = now()
		serves := func(d queue.Served) bool { return d.Task == v.s.o.Task && d.Model == v.s.o.Model }
		served, err := q.ServingUntil(ctx, announceWait, serves)
		if err == nil && !slices.ContainsFunc(served, serves) && (first || now().Sub(v.said) >= sayEvery) {
			v.said = now()
			v.s.progress.show.say(fmt.Sprintf("no daemon serves %s with %s: %d shards wait until one does; Ctrl-C ends the waiting, not the job",
				v.s.o.Task, v.s.o.Model, left))
		}
	}
	if now().Sub(v.said) >= sayEvery {
		v.said = now()
		if !v.s.o.Quiet {
			v.s.progress.show.say(fmt.Sprintf("waiting: %d shards are in the queue, daemons work on %d of them", left, held))
		}
	}
}
