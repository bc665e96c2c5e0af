// Package batches carries out OpenAI's batches as jobs of the queue: from a file of requests to files of answers.
package batches

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"textmill/client"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// Options say where batches are kept and how they are carried out.
type Options struct {
	Queue   *queue.Queue
	Tracker *queue.Tracker // of all jobs
	// Submit is how a batch's job is published: limits, streams, and the models that are served here.
	Submit client.SubmitOptions
	// Table is where this daemon finds a dataset's table.
	Table func(dataset string) string
	// MaxBytes is what all files may take in the queue's server.
	MaxBytes int64
	// Scratch is a directory for what is more than fits into memory; "" is the system's for temporary files.
	Scratch string
	// Takeover is how long a batch that somebody works on is not heard of before another daemon goes on with it.
	Takeover time.Duration
	// Point is told how far a batch has come, and may die there.
	Point func(name string)
	Log   *slog.Logger
	// Tracer tells of batches whose creators name a trace; nil tells of none.
	Tracer *telemetry.Tracer
}

// Errors that callers tell apart, beside queue.ErrFull.
var (
	ErrNotFound = errors.New("there is none of that id")
	ErrOver     = errors.New("it cannot be cancelled any more")
)

// Batches keeps files and batches in the queue, so that every daemon on it answers for them, and carries batches out.
// Nobody owns a batch: what is stored says what is to be done next, each step may be done twice, and only one outcome
// of it is stored. Its methods are safe for concurrent use.
type Batches struct {
	o  Options
	me string // tells this process from others that work on batches

	mu      sync.Mutex
	known   map[string]*seen // those that are not over
	changed chan struct{}    // has a value once known is another
	working sync.WaitGroup
	filesMu sync.Mutex
	files   bool // the stream of contents is there
}

// New makes one, which works once Run is called.
func New(o Options) *Batches {
	return &Batches{o: o, me: rand.Text(), known: map[string]*seen{}, changed: make(chan struct{}, 1)}
}

// newID is one that says when it was made, so that people find their way in lists of jobs.
func newID(prefix string, at time.Time) string {
	return prefix + at.UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:12])
}
