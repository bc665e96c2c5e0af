package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"textmill/daemon/lately"
)

// Jobs are those that the queue knows. A job that it does not know is a Failure.
type Jobs interface {
	// Jobs are all, the one with the latest news first. It is the same list for a while: do not change it.
	Jobs(ctx context.Context) ([]Job, error)
	Job(ctx context.Context, name string) (Job, error)
	Cancel(ctx context.Context, name string) error
}

// Job is how far one is.
type Job struct {
	Name, State, Task, Model, Dataset string // Task, Model and Dataset are "" where they are not known
	Shards, Done, Dead, Resolved      int    // Shards: 0 = not known yet
	Rows, Errors, Truncated, Cut      int64
	Dropped                           int64 // messages that a cancel dropped
	ETASeconds                        *float64
	RowsPerSecond                     float64
	Updated                           time.Time
	Classes                           []lately.Class // of error rows that this daemon made; of one job alone
	Letters                           []Letter       // likewise
	Shared                            bool           // everybody's, who named none
}

// Progress is how much of it is settled; 0 while it is not known how much there is.
func (j Job) Progress() float64 { return ratio(float64(j.Done), float64(j.Shards)) }

// Lives says that more may come of it.
func (j Job) Lives() bool { return j.State == "queued" || j.State == "running" || j.State == "open" }

// States in the order in which the page offers them.
var states = []string{"running", "queued", "open", "done", "failed", "cancelled"}

// jobsSeen is how many are listed at a time.
const jobsSeen = 100

// jobList is what is seen of them.
type jobList struct {
	Jobs         []Job
	Found, All   int
	State, Query string
	States       []stateCount
	Letters      uint64
}

type stateCount struct {
	Name, Path string
	Jobs       int
}

func (s *Site) jobs(r *http.Request) (View, error) {
	all, err := s.o.Jobs.Jobs(r.Context())
	if err != nil {
		return View{}, err
	}
	l := jobList{State: r.URL.Query().Get("state"), Query: r.URL.Query().Get("q"), All: len(all)}
	counts := map[string]int{}
	for _, j := range all {
		if !strings.Contains(strings.ToLower(j.Name+" "+j.Dataset+" "+j.Model), strings.ToLower(l.Query)) {
			continue
		}
		counts[j.State]++
		if l.State != "" && j.State != l.State {
			continue
		}
		if l.Found++; len(l.Jobs) < jobsSeen {
			l.Jobs = append(l.Jobs, j)
		}
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	l.States = []stateCount{{"all", jobsPath("", l.Query), total}}
	for _, state := range states {
		if counts[state] > 0 || state == l.State {
			l.States = append(l.States, stateCount{state, jobsPath(state, l.Query), counts[state]})
		}
	}
	if _, l.Letters, err = s.o.Letters.Letters(r.Context()); err != nil {
		return View{}, err
	}
	return View{Title: "Jobs", Data: l}, nil
}

// jobsPath is where a list is found.
func jobsPath(state, query string) string {
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	if query != "" {
		q.Set("q", query)
	}
	if len(q) == 0 {
		return "/jobs"
	}
	return "/jobs?" + q.Encode()
}

func (s *Site) job(r *http.Request) (View, error) {
	j, err := s.o.Jobs.Job(r.Context(), r.PathValue("job"))
	if err != nil {
		return View{}, err
	}
	letters, _, err := s.o.Letters.Letters(r.Context())
	if err != nil {
		return View{}, err
	}
	j.Letters = slices.DeleteFunc(slices.Clone(letters), func(l Letter) bool { return l.Job != j.Name })
	v := jobView{Job: j}
	v.Served = slices.ContainsFunc(s.o.Models, func(m Model) bool { return m.Name == j.Model })
	for _, c := range v.Classes {
		v.Told += int64(c.Rows)
	}
	if v.Errors > 0 && v.Dataset != "" {
		v.tell(s.failures.of(jobOf{v.Dataset, v.Name}))
	}
	return View{Title: "Job " + j.Name, Data: v}, nil
}

// jobView is what is seen of a job.
type jobView struct {
	Job
	Served  bool  // by this daemon
	Tabled  bool  // the classes are those of the table's rows, whoever made them
	Told    int64 // error rows that the classes were counted of
	Reading bool  // the table has more that may tell, and is being read
	Unread  bool  // the table could not be read the last time
}

// tell takes the classes of error rows from the table, unless it tells of fewer rows than this daemon knows of.
func (v *jobView) tell(k errorRows) {
	v.Reading, v.Unread = k.failed == "" && (k.told == nil || !k.told.Whole), k.failed != ""
	if k.told == nil || k.told.Seen < v.Told {
		return
	}
	v.Classes, v.Tabled, v.Told = nil, true, k.told.Seen
	for _, c := range k.told.Classes {
		v.Classes = append(v.Classes, lately.Class{Name: c.Class, Rows: int(c.Rows), Record: c.ID, Reason: c.Message})
	}
}

func (s *Site) cancelJob(r *http.Request) (string, error) {
	name := r.PathValue("job")
	if err := s.o.Jobs.Cancel(r.Context(), name); err != nil {
		return "", err
	}
	return "/jobs/" + url.PathEscape(name), nil
}
