// Package lately remembers what a daemon did in the last minutes, in bounded memory, for whoever looks.
package lately

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// Every is how far apart samples are.
	Every = 5 * time.Second
	// samplesKept is a quarter of an hour of them.
	samplesKept  = 181
	commitsKept  = 30
	troublesKept = 50
	jobsKept     = 1000
	classesKept  = 32 // of a job
	exampleBytes = 500
)

// Sums are what was counted since the daemon's start, and what is now.
type Sums struct {
	Rows, Errors           float64 // committed; those among them with an error
	Texts                  float64 // run
	Tokens, Padded, Output float64 // run; run with padding counted; made
	Processor              float64 // seconds of it that the process had
	Models                 map[string]Model
	Stages                 []Stage
	InFlight, Letters      float64 // now
}

// Model is one model's part of Sums.
type Model struct {
	Texts                        float64
	Tokens, Padded, Output, Busy float64 // Busy: seconds of runs
	Waiting, Oldest              float64 // messages, and the seconds that one waits
}

// Stage is a part of the way of records: how often it was gone, and how many seconds that took in all.
type Stage struct {
	Name           string
	Count, Seconds float64
}

// Sample are the sums at one time.
type Sample struct {
	At time.Time
	Sums
}

// Commit is one that became part of a table.
type Commit struct {
	At                     time.Time
	Dataset                string
	Version, Rows, Errored int64
	Took                   time.Duration
}

// Class is what kind of error rows a job has, with the first that came.
type Class struct {
	Name           string
	Rows           int
	Record, Reason string // of the example
}

// Example is an error row.
type Example struct{ Record, Reason string }

// Memory is what is remembered. Its methods are safe for concurrent use.
type Memory struct {
	since time.Time

	mu       sync.Mutex
	samples  []Sample
	commits  []Commit
	troubles []Trouble
	jobs     map[string]*failures
}

// failures are the error rows of one job, by class.
type failures struct {
	classes map[string]*Class
	latest  time.Time
}

// New remembers nothing yet.
func New() *Memory { return &Memory{since: time.Now(), jobs: map[string]*failures{}} }

// Since is when the daemon began.
func (m *Memory) Since() time.Time { return m.since }

// Sampled takes in the sums at one time.
func (m *Memory) Sampled(s Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = kept(m.samples, s, samplesKept)
}

// Samples are in the order of time.
func (m *Memory) Samples() []Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.samples)
}

// Committed takes in a commit.
func (m *Memory) Committed(c Commit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits = kept(m.commits, c, commitsKept)
}

// Commits are the latest, the newest first.
func (m *Memory) Commits() []Commit {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.commits)
	slices.Reverse(all)
	return all
}

// Failed takes in the error rows of a delivery of a job.
func (m *Memory) Failed(job string, classes map[string]int, examples map[string]Example) {
	if len(classes) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[job]
	if j == nil {
		if len(m.jobs) >= jobsKept {
			m.forgetOldest()
		}
		j = &failures{classes: map[string]*Class{}}
		m.jobs[job] = j
	}
	j.latest = time.Now()
	for name, rows := range classes {
		c := j.classes[name]
		if c == nil && len(j.classes) < classesKept {
			e := examples[name]
			c = &Class{Name: name, Record: cut(e.Record), Reason: cut(e.Reason)}
			j.classes[name] = c
		}
		if c != nil {
			c.Rows += rows
		}
	}
}

// forgetOldest needs m.mu.
func (m *Memory) forgetOldest() {
	oldest := ""
	for job, j := range m.jobs {
		if oldest == "" || j.latest.Before(m.jobs[oldest].latest) {
			oldest = job
		}
	}
	delete(m.jobs, oldest)
}

// Errors are the classes of a job's error rows that this daemon has made, the most frequent first.
func (m *Memory) Errors(job string) []Class {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[job]
	if j == nil {
		return nil
	}
	var all []Class
	for _, name := range slices.Sorted(maps.Keys(j.classes)) {
		all = append(all, *j.classes[name])
	}
	slices.SortStableFunc(all, func(a, b Class) int { return b.Rows - a.Rows })
	return all
}

// kept appends one to the last ones, of which so many are kept.
func kept[T any](all []T, one T, most int) []T {
	if len(all) == most {
		copy(all, all[1:])
		all = all[:most-1]
	}
	return append(all, one)
}

// cut makes a text short enough to be kept.
func cut(s string) string {
	if len(s) <= exampleBytes {
		return s
	}
	at := exampleBytes
	for at > 0 && s[at]&0xC0 == 0x80 { // within a character
		at--
	}
	return s[:at] + "…"
}
