// Package embed turns token IDs into vectors with an embedding model, many texts in a run.
package embed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/head"
	"textmill/models/internal/onnx"
	"textmill/models/internal/signals"
	"textmill/models/session"
)

// tuning is how a session uses the processor.
type tuning struct {
	intra   int // threads of one run
	workers int // runs at a time
	ahead   int // further calls that wait for one of them
}

// A Row is one text as the model takes it, special tokens included.
type Row struct {
	IDs     []int32
	TypeIDs []int32 // nil: zeros
	Pooling string  // "": the model's own
	// Skip is how many tokens at the front pooling leaves out (see models.Spec.PoolPrompt).
	Skip int
}

// A Vector has as many values as models.Spec.DimOf its pooling says, for "none" each token's one after the other. It
// is not normalized.
type Vector = []float32

// An Embedder turns rows into vectors with one loaded model.
type Embedder struct {
	spec    *models.Spec
	session *onnx.Session // nil where deck is not
	deck    *deck
	table   *table // of a static model, in place of both
	head    head.Head
	slots   chan batcher
	asked   chan batcher // of Ask; nil where it takes one of slots
	tuning  tuning
	device  string
	threads int
	budget  atomic.Int64
	company session.Company
	notes   []string
	o       session.Options // it was opened with
}

// A batcher has the memory of one batch at a time, and runs it.
type batcher interface {
	embed(ctx context.Context, e *Embedder, rows []Row) ([]Vector, error)
}

// ErrRow is the class of rows that this model cannot embed as they are.
var ErrRow = errors.New("cannot embed the row")

// ErrNaN is the class of rows whose vector holds a value that is no number. Embed marks them with a nil Vector.
var ErrNaN = errors.New("the model made a value that is not a number")

// Open checks the bundle's files against their recorded hashes, loads the model, finds out what company
// does to vectors and learns the batch size; both are remembered.
func Open(ctx context.Context, spec *models.Spec, o session.Options) (*Embedder, error) {
	if spec.Task != naming.TaskEmbed {
		return nil, fmt.Errorf("%w: %s was made to %s, not to embed", models.ErrBundle, spec.Name, spec.Task)
	}
	if err := spec.Verify(ctx); err != nil {
		return nil, err
	}
	o, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	e := &Embedder{spec: spec, threads: o.Threads, o: o, notes: o.Notes}
	e.budget.Store(int64(o.BatchTokens))
	if spec.Static != nil {
		return e, e.openStatic(o)
	}
	if err := onnx.Load(o.Library); err != nil {
		return nil, err
	}
	if e.head, err = head.Load(spec); err != nil {
		return nil, fmt.Errorf("open model %s: %w", spec.Name, err)
	}
	if err := e.open(o); err != nil {
		return nil, err
	}
	if err := e.settleCompany(ctx, o); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.settleBudget(ctx, o); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Embedder) open(o session.Options) error {
	if e.spec.Card != nil {
		return e.openCard(o.Device)
	}
	if device, card := strings.CutPrefix(o.Device, "cuda:"); card {
		err := e.start(tuning{intra: 1, workers: 2}, device)
		if err == nil {
			e.device = o.Device
			return nil
		}
		if !o.Auto {
			return fmt.Errorf("open model %s on %s: %w", e.spec.Name, o.Device, err)
		}
		e.notes = append(e.notes, fmt.Sprintf("device auto: runs on cpu, since on the card it did not: %v", err))
	}
	e.device = "cpu"
	return e.start(processorTuning(o.Threads), "")
}

// processorTuning is what was measured best: each run on one thread, as many runs at a time as there are threads. Runs
// need no barrier between operators then, and Go's own work fills whatever gap one of them leaves.
func processorTuning(threads int) tuning {
	return tuning{intra: 1, workers: threads}
}

func (e *Embedder) start(t tuning, device string) error {
	if device != "" {
		restore := signals.Keep() // the CUDA provider takes Go's handlers, without which SIGTERM would not drain
		defer restore()
	}
	session, err := openSession(e.spec, t, device)
	if err != nil {
		return err
	}
	e.session, e.tuning = session, t
	e.slots = make(chan batcher, t.workers)
	for range t.workers {
		e.slots <- new(slot)
	}
	if device == "" {
		e.asked = make(chan batcher, 1)
		e.asked <- new(slot)
		return nil
	}
	if _, err := e.measured(context.Background(), sampleRows(1, 1)); err != nil { // loads the rest of CUDA
		return errors.Join(err, e.Close())
	}
	return nil
}

// openCard loads the graph for a card, on the processor too.
func (e *Embedder) openCard(device string) (err error) {
	e.device = device
	e.tuning = tuning{intra: 1, workers: cardSlots, ahead: max(1, e.threads/4)}
	e.slots = make(chan batcher, e.tuning.workers)
	if e.deck, err = openDeck(e.spec, e.o, e.tuning.intra); err != nil {
		return fmt.Errorf("open model %s on %s: %w", e.spec.Name, e.device, err)
	}
	for range e.tuning.workers {
		s, err := e.deck.slot()
		if err != nil {
			return errors.Join(err, e.deck.close())
		}
		e.slots <- s
	}
	return nil
}

// measured is Embed for what is run when the model is opened, whose callers know of no limit.
func (e *Embedder) measured(ctx context.Context, rows []Row) (vectors []Vector, err error) {
	err = e.o.Run(ctx, func(ctx context.Context) (err error) {
		vectors, err = e.Embed(ctx, rows)
		return err
	})
	return vectors, err
}

// Workers is how many calls of Embed keep the model busy: those that run at a time, and for a card some whose callers
// still work on what came back.
func (e *Embedder) Workers() int { return e.tuning.workers + e.tuning.ahead }

// BatchTokens is the padded size, rows times the longest, that runs fastest here; it becomes less where a card runs
// out of memory.
func (e *Embedder) BatchTokens() int { return int(e.budget.Load()) }

// Packed tells that padding costs nothing: the size of a batch is the number of its tokens.
func (e *Embedder) Packed() bool { return e.deck != nil || e.table != nil }

// session.Company is what other texts of a batch do to a text's bits here.
func (e *Embedder) Company() session.Company { return e.company }

// Device is cpu or cuda:N.
func (e *Embedder) Device() string { return e.device }

// Notes are things worth knowing about this session, beside those of the models.Spec.
func (e *Embedder) Notes() []string { return e.notes }

// Close waits for running calls and frees the session. Embed must not be called after it.
func (e *Embedder) Close() error {
	for range e.tuning.workers {
		<-e.slots
	}
	if e.asked != nil {
		<-e.asked
	}
	if e.deck != nil {
		return e.deck.close()
	}
	if e.table != nil {
		return e.table.close()
	}
	if e.session == nil {
		return nil
	}
	err := e.session.Destroy()
	e.session = nil
	return err
}

// openSession loads the graph. device is "" for the processor, else the number of a CUDA device.
func openSession(spec *models.Spec, t tuning, device string) (*onnx.Session, error) {
	var inputs []string
	for _, in := range spec.Feeds {
		inputs = append(inputs, in.Name)
	}
	s, err := onnx.Open(spec.GraphPath(), inputs, []string{spec.Output.Name},
		onnx.Options{Threads: t.intra, CUDA: device})
	if err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", models.ErrBundle, spec.GraphPath(), err)
	}
	return s, nil
}
