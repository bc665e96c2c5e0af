package queue

import (
	"context"
	"strings"
	"time"
)

// States of a job.
const (
	StateQueued    = "queued"
	StateRunning   = "running"
	StateOpen      = "open"   // at work, and nobody has said how many shards there will be
	StateDone      = "done"   // the rows of all shards are in the table, but for dead letters that were resolved
	StateFailed    = "failed" // all shards are settled, some as dead letters
	StateCancelled = "cancelled"
)

// JobStatus is how far a job is.
type JobStatus struct {
	Job        string   `json:"job"`
	State      string   `json:"state"`
	Task       string   `json:"task"`  // this and the next two: "" = not known, joined by commas where the job's name
	Model      string   `json:"model"` // stands for several
	Dataset    string   `json:"dataset"`
	Shards     int      `json:"shards"` // 0 = not known yet
	ShardsDone int      `json:"shards_done"`
	Rows       int64    `json:"rows"`
	Errors     int64    `json:"errors"`
	Truncated  int64    `json:"truncated"`          // rows whose text was cut
	CutTokens  int64    `json:"n_dropped"`          // cut off in them
	Dead       int      `json:"dead"`               // shards
	Resolved   int      `json:"resolved,omitempty"` // shards whose dead letters were dropped, or published as another job
	Dropped    int64    `json:"dropped,omitempty"`  // messages that a cancel dropped
	ETASeconds *float64 `json:"eta_s"`

	// RowsPerSecond is the pace of a job at work; 0 while it is not known.
	RowsPerSecond float64 `json:"-"`

	Table   string    `json:"-"`
	Version int64     `json:"-"` // highest of the table that an event named
	Updated time.Time `json:"-"` // of the latest event
}

// WithWaiting adds the jobs of which only waiting messages are known, which are queued, to those that events tell of;
// job "" is all. It also gives the subjects on which messages wait.
func (q *Queue) WithWaiting(ctx context.Context, told []JobStatus, job string) ([]JobStatus, []SubjectState, error) {
	waiting, err := q.UnservedSubjects(ctx, func(string, string) bool { return false })
	if err != nil {
		return nil, nil, err
	}
	known := make(map[string]bool, len(told))
	for _, s := range told {
		known[s.Job] = true
	}
	for _, w := range waiting {
		if w.Job != "" && !known[w.Job] && (job == "" || job == w.Job) {
			known[w.Job] = true
			told = append(told, JobStatus{Job: w.Job, State: StateQueued, Task: w.Task, Model: w.Model})
		}
	}
	return told, waiting, nil
}

// Sole are the task, model and dataset, each "" where the job's name stands for several.
func (s JobStatus) Sole() (task, model, dataset string) {
	sole := func(name string) string {
		if strings.Contains(name, ",") {
			return ""
		}
		return name
	}
	return sole(s.Task), sole(s.Model), sole(s.Dataset)
}
