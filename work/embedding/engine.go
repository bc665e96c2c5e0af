// Package embedding turns records into rows with one embedding model: it
// tokenizes them, gathers them into length-sorted batches, runs the batches
// and assembles the rows.
package embedding

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/tokenize"
	"textmill/work/rows"
)

// embedder runs one batch. Calls of Embed may overlap, up to Workers of them, and one of Ask beside them.
// BatchTokens may become less meanwhile; it counts padding unless texts are Packed.
type embedder interface {
	Embed(ctx context.Context, rows []embed.Row) ([]embed.Vector, error)
	Ask(ctx context.Context, rows []embed.Row) ([]embed.Vector, error)
	Workers() int
	BatchTokens() int
	Packed() bool
}

// A Tokenizer turns text into what the model runs. An error of AppendBody is the record's, and with a class of its own
// where it is a *jobs.RecordError; ErrUnavailable is nobody's.
type Tokenizer interface {
	AppendBody(ids []int32, spans []tokenize.Span, text string) ([]int32, []tokenize.Span, error)
	AppendInput(ids, typeIDs, body []int32) ([]int32, []int32)
	NumSpecial() int
}

// Options describes the model that an Engine runs.
type Options struct {
	Spec      *models.Spec
	Embedder  embedder
	Tokenizer Tokenizer
	// WindowTokens bounds the tokens gathered for sorting; 0 means 64 batches.
	WindowTokens int
	// RunTimeout ends a model run that takes longer; 0 means never.
	RunTimeout time.Duration
	// Observe, when set, is told of every batch that ran.
	Observe func(BatchStats)
	// Timed is told of the other stages, of Tokenize one in rows.TimedRecords.
	Timed rows.Timed
}

// BatchStats describes one model run.
type BatchStats struct {
	Texts, Tokens, PaddedTokens int
	Took                        time.Duration
}

// bare adds no special tokens, which static models do without.
type bare struct{ Tokenizer }

func (bare) NumSpecial() int { return 0 }

func (bare) AppendInput(ids, _, body []int32) ([]int32, []int32) { return append(ids, body...), nil }

// Task is one record and where its rows go. Done is called exactly once, from
// a goroutine of the engine, with the record's rows in chunk order; a record
// that failed gives one row whose Error is set. Done gets nil rows only when
// the engine was stopped before the record was through.
type Task struct {
	Record jobs.Record
	Plan   *Plan
	Done   func(rows []export.Row)
}

// ErrClosed is returned by Do after Close.
var ErrClosed = errors.New("engine is closed")

// ErrUnavailable is the class of a Tokenizer's failures that no record is to blame for: records are handed back as by
// Stop.
var ErrUnavailable = errors.New("the tokenizer is not available")

// unavailable is what encode answers for a record that ErrUnavailable kept from being tokenized.
var unavailable = &jobs.RecordError{Class: jobs.ModelFailed, Message: ErrUnavailable.Error()}

// Engine runs one model. Its methods are safe for concurrent use.
type Engine struct {
	opts     Options
	tok      Tokenizer
	window   *window
	asked    *window // of Ask
	capacity int64   // of space, in bytes of text
	space    *semaphore.Weighted

	in      chan *record
	stop    context.CancelFunc
	encoded sync.WaitGroup // tokenizing goroutines
	ran     sync.WaitGroup // workers
	feeding sync.RWMutex   // held for reading while Do sends on in
	closed  bool
}

// record is a task on its way through the engine.
type record struct {
	task    Task
	content string // its content_sha256
	cost    int64
	waiting int // items not yet in a batch that runs; under window order only workers touch it

	mu      sync.Mutex
	rows    []export.Row // by chunk
	pending int          // rows still to come
}

// bytesPerToken turns a window measured in tokens into bytes of text, which is
// what is known before tokenization.
const bytesPerToken = 4

// New starts the goroutines of an engine.
func New(o Options) *Engine {
	if o.WindowTokens == 0 {
		o.WindowTokens = 64 * o.Embedder.BatchTokens()
	}
	e := &Engine{
		opts:     o,
		tok:      o.Tokenizer,
		window:   newWindow(o.Embedder.BatchTokens, o.Embedder.Packed(), o.Spec.Alone),
		asked:    newWindow(o.Embedder.BatchTokens, o.Embedder.Packed(), o.Spec.Alone),
		capacity: int64(o.WindowTokens) * bytesPerToken,
		in:       make(chan *record, 256),
	}
	if o.Spec.Static != nil {
		e.tok = bare{o.Tokenizer}
	}
	e.space = semaphore.NewWeighted(e.capacity)
	running, stop := context.WithCancel(context.Background())
	e.stop = stop
	for range runtime.GOMAXPROCS(0) {
		e.encoded.Go(func() { e.encodeLoop(running) })
	}
	for range max(o.Embedder.Workers(), 1) {
		e.ran.Go(func() { e.runLoop(running, e.window, o.Embedder.Embed) })
	}
	e.ran.Go(func() { e.runLoop(running, e.asked, o.Embedder.Ask) })
	return e
}

// Do accepts a record, waiting while the window is full. An error means that
// Done will not be called.
func (e *Engine) Do(ctx context.Context, t Task) error {
	r := &record{task: t, cost: min(cost(t.Record), e.capacity)}
	if err := e.space.Acquire(ctx, r.cost); err != nil {
		return err
	}
	e.feeding.RLock()
	defer e.feeding.RUnlock()
	if e.closed {
		e.space.Release(r.cost)
		return ErrClosed
	}
	e.in <- r
	return nil
}

// Ask is Do for a record whose rows somebody waits for. It passes by all that Do was given, and runs beside it; how
// much may wait is the caller's to bound. The text is tokenized before it returns.
func (e *Engine) Ask(t Task) error {
	e.feeding.RLock()
	defer e.feeding.RUnlock()
	if e.closed {
		return ErrClosed
	}
	e.gather(new(scratch), &record{task: t}, e.asked)
	return nil
}

// Close refuses further records, finishes those accepted, and returns when all
// their Done calls have returned.
func (e *Engine) Close() {
	e.feeding.Lock()
	if !e.closed {
		e.closed = true
		close(e.in)
	}
	e.feeding.Unlock()
	e.encoded.Wait()
	e.window.close()
	e.asked.close()
	e.ran.Wait()
	e.stop()
}

// Stop ends runs in progress. Records that were not through get Done(nil), as
// do all that follow; Close is still owed.
func (e *Engine) Stop() { e.stop() }

func (e *Engine) encodeLoop(running context.Context) {
	var s scratch
	for r := range e.in {
		if running.Err() != nil || r.task.Plan.about.Dropped() {
			e.drop(r)
			continue
		}
		e.gather(&s, r, e.window)
		s.shrink()
	}
}

// gather tokenizes a record into a window.
func (e *Engine) gather(s *scratch, r *record, into *window) {
	r.content = r.task.Plan.contents.SHA256(&r.task.Record)
	items, failure := []*item(nil), lacksText(r.task.Record)
	if failure == nil {
		failure = r.task.Plan.failure
	}
	if failure == nil {
		items, failure = e.encodeTimed(s, r)
	}
	if failure == unavailable {
		e.drop(r)
		return
	}
	if failure != nil {
		e.space.Release(r.cost)
		r.task.Done([]export.Row{e.errorRow(r, failure)})
		return
	}
	r.waiting, r.pending = len(items), len(items)
	r.rows = make([]export.Row, len(items))
	into.add(items...)
}

// encodeTimed is encode that tells of one record in rows.TimedRecords how long it took, and of each that is watched.
func (e *Engine) encodeTimed(s *scratch, r *record) ([]*item, *jobs.RecordError) {
	watch := r.task.Plan.about.Watch
	s.records++
	timed := s.records%rows.TimedRecords == 1
	if !timed && watch == nil {
		return e.encode(s, r)
	}
	begun := time.Now()
	items, failure := e.encode(s, r)
	if timed {
		e.timed(rows.Tokenize, begun)
	}
	if watch != nil {
		watch(rows.Tokenize, begun, time.Since(begun))
	}
	return items, failure
}

// drop ends a record that the engine was stopped before.
func (e *Engine) drop(r *record) {
	e.space.Release(r.cost)
	r.task.Done(nil)
}

// maxScratch bounds what one very long text leaves behind, in tokens.
const maxScratch = 1 << 20

func (s *scratch) shrink() {
	if cap(s.ids) > maxScratch {
		*s = scratch{}
	}
}
