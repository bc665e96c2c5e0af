package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"textmill/jobs"
)

// servingSubject is asked, outside of all streams, for what daemons serve.
const servingSubject = "textmill.serving"

// Served is one model that a daemon serves for a task.
type Served struct {
	Task        string `json:"task"`
	Model       string `json:"model"`
	ModelSHA256 string `json:"model_sha256"`
}

// Announce answers everyone who asks with what serves returns then, until stop or
// Close.
func (q *Queue) Announce(serves func() []Served) (stop func() error, err error) {
	sub, err := q.nc.Subscribe(servingSubject, func(m *nats.Msg) {
		if !isInbox(m.Reply) {
			return
		}
		answer, err := json.Marshal(serves())
		if err == nil {
			err = m.Respond(answer)
		}
		if err != nil {
			q.log.Warn("what is served could not be announced", "error", err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("announce what is served: %w", lost(err))
	}
	return sub.Unsubscribe, nil
}

// isInbox says whether an answer may go to a subject. Whoever asks names it, also one to which only daemons may
// publish.
func isInbox(reply string) bool {
	for _, ours := range []string{jobSubjects, deadSubjects, eventSubjects, askSubjects, jobs.AllClaims,
		jobs.AllFiles, jobs.AllBatches} {
		if strings.HasPrefix(reply, strings.TrimSuffix(ours, ">")) {
			return false
		}
	}
	return reply != "" && reply != servingSubject && !strings.HasPrefix(reply, "$")
}

// Serving asks all daemons what they serve and returns what has been answered
// within wait, each task, model and weights once; at once if nobody listens.
func (q *Queue) Serving(ctx context.Context, wait time.Duration) ([]Served, error) {
	return q.ServingUntil(ctx, wait, func(Served) bool { return false })
}

// ServingUntil is Serving that waits no longer once an answer is enough.
func (q *Queue) ServingUntil(ctx context.Context, wait time.Duration, enough func(Served) bool) ([]Served, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	inbox := q.nc.NewInbox()
	sub, err := q.nc.SubscribeSync(inbox)
	if err == nil {
		defer func() {
			_ = sub.Unsubscribe() // fails only where the connection's end has done it
		}()
		err = q.nc.PublishRequest(servingSubject, inbox, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("ask what is served: %w", lost(err))
	}
	seen := make(map[Served]bool)
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return sortServed(seen), nil
		}
		if err != nil {
			return nil, fmt.Errorf("ask what is served: %w", lost(err))
		}
		var answer []Served
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			continue // not a daemon's
		}
		found := false
		for _, s := range answer {
			seen[s] = true
			found = found || enough(s)
		}
		if found {
			return sortServed(seen), nil
		}
	}
}

func sortServed(seen map[Served]bool) []Served {
	out := make([]Served, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Model != out[j].Model {
			return out[i].Model < out[j].Model
		}
		return out[i].Task+out[i].ModelSHA256 < out[j].Task+out[j].ModelSHA256
	})
	return out
}
