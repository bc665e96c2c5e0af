package daemon

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"textmill/daemon/follow"
	"textmill/daemon/web"
	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/work/rows"
)

const (
	// pollEvery is how often an idle server asks which subjects hold messages.
	pollEvery = 200 * time.Millisecond
	// A turn of the round-robin takes at most so much from one subject.
	turnBytes    = 256 << 10
	turnMessages = 128
	// retireAfter is how long a subject without messages keeps its consumer.
	retireAfter = time.Minute
	// maxConsumers is how many subjects one model serves in a round; where more have messages, they come in turn.
	maxConsumers = 512
	// retireAtOnce bounds how many consumers go between two rounds, which wait meanwhile.
	retireAtOnce = 16
)

// worker turns records into rows with one model.
type worker interface {
	Work(s *jobs.Shard, o rows.Origin) rows.Work
	// Stop ends runs in progress: records that are not through get nil rows. Close is still owed.
	Stop()
	// Close finishes what was accepted.
	Close()
}

// server fetches the deliveries of one model and feeds their records to its
// engine. One goroutine fetches. It also feeds, so records of different jobs
// enter the window in turns, unless the model has a feeder.
type server struct {
	spec       *models.Spec
	engine     worker
	tracer     web.Tracer
	device     string
	workers    int // rows or batches that run at a time
	batch      int // tokens a batch; 0 for a model that has none
	queue      *queue.Queue
	events     *follow.Follower
	ledger     *ledger
	committers *committers
	settler    *settler
	inputs     *input.Roots
	feeder     *feeder // of a model whose jobs take turns themselves; nil where records enter in the order in which they came
	limits     jobs.Limits
	alone      *sync.RWMutex // held for reading by who feeds among others, for writing by who must run alone; one for all models
	log        *slog.Logger

	consumers map[string]*subject
	most      int // subjects that are served in a round
	free      int // places in this one
	turns     turns
	again     chan *queue.Delivery // duplicates whose leader has been settled
	stopped   chan struct{}        // closed when nothing more is taken
}

// subject is one job's subject with its consumer.
type subject struct {
	consumer *queue.Consumer
	place    int       // the round since which it is served; 0 where it is not, and its consumer is only to be removed
	seen     time.Time // when it last had a turn, or could not be removed
	refused  bool      // another model's weights serve it, or its consumer is not one of ours
}

// serve fetches until ctx ends; work outlives it for what was fetched.
func (s *server) serve(ctx, work context.Context) {
	defer close(s.stopped)
	idle := time.NewTicker(pollEvery)
	defer idle.Stop()
	var freed <-chan struct{}
	if s.feeder != nil {
		defer s.feeder.end()
		freed = s.feeder.freed
	}
	for ctx.Err() == nil {
		took := s.round(ctx, work)
		s.retire(ctx)
		if took {
			continue
		}
		select {
		case <-ctx.Done():
		case d := <-s.again:
			s.take(work, d)
		case <-freed:
		case <-idle.C:
		}
	}
}

// round gives every subject with messages one turn. It reports whether any
// delivery came.
func (s *server) round(ctx, work context.Context) bool {
	if !s.committers.wait(ctx) {
		return false
	}
	states, err := s.queue.Subjects(ctx, s.spec.Task, s.spec.Name)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot list subjects", "model", s.spec.Name, "error", err.Error())
		}
		return false
	}
	for _, name := range surplus(s.consumers, states, s.most) {
		s.drop(ctx, name)
	}
	s.turns.order(states, s.consumers)
	s.free = s.most - taken(s.consumers)
	took := false
	for _, state := range states {
		if ctx.Err() != nil {
			break
		}
		deliveries := s.turn(ctx, state.Subject)
		s.ledger.hold(deliveries)
		rest, suspects := partSuspects(deliveries)
		for _, d := range rest {
			if ctx.Err() != nil {
				s.handBack(work, d)
				continue
			}
			s.take(work, d)
		}
		s.takeSuspects(ctx, work, suspects)
		took = took || len(deliveries) > 0
		s.takeAgain(work)
	}
	return took
}

func (s *server) takeAgain(work context.Context) {
	for {
		select {
		case d := <-s.again:
			s.take(work, d)
		default:
			return
		}
	}
}

// turn fetches what one subject may have in a round.
func (s *server) turn(ctx context.Context, name string) []*queue.Delivery {
	sub := s.consumers[name]
	if sub.waits() {
		if s.free == 0 {
			return nil
		}
		if sub = s.open(ctx, name); sub == nil {
			return nil
		}
	}
	if sub.refused { // until it is forgotten, and asked for again
		return nil
	}
	sub.seen = time.Now()
	if s.feeder != nil && s.feeder.full(name) {
		return nil
	}
	deliveries, err := sub.consumer.Fetch(ctx, turnMessages, turnBytes)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("fetch", "subject", name, "error", err.Error())
		delete(s.consumers, name)
	}
	return deliveries
}

// open gives a subject its consumer and a place; nil where there is no consumer.
func (s *server) open(ctx context.Context, name string) *subject {
	consumer, err := s.queue.Consumer(ctx, name, s.spec.SHA256)
	if err != nil {
		s.log.Error("subject not served", "subject", name, "error", err.Error())
		if !errors.Is(err, queue.ErrOtherModel) && !errors.Is(err, queue.ErrConsumerDiffers) {
			return nil
		}
	}
	sub := &subject{consumer: consumer, refused: err != nil, seen: time.Now()}
	if !sub.refused {
		sub.place = s.turns.enter(name)
		s.free--
	}
	s.consumers[name] = sub
	return sub
}

// retire removes the consumers of subjects that have been empty for long.
func (s *server) retire(ctx context.Context) {
	retired := 0
	for name, sub := range s.consumers {
		if time.Since(sub.seen) < retireAfter {
			continue
		}
		s.drop(ctx, name)
		if retired++; retired == retireAtOnce {
			return
		}
	}
}

// drop takes a subject's place, and removes its consumer unless work is on it, this daemon's or another's, or waits: then that is
// tried again later.
func (s *server) drop(ctx context.Context, name string) {
	sub := s.consumers[name]
	removed, err := sub.refused, error(nil)
	if !removed {
		removed, err = sub.consumer.Remove(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("remove idle consumer", "subject", name, "error", err.Error())
	}
	if removed {
		delete(s.consumers, name)
		return
	}
	sub.place, sub.seen = 0, time.Now()
}

func (s *server) handBack(ctx context.Context, d *queue.Delivery) {
	s.ledger.drop(d)
	f := &flight{delivery: d, job: d.Job}
	s.settler.settle(ctx, f, f.decide(finding{failed: errDraining}))
}

// feed sends the records of one delivery, or of suspects, through the engine.
func (s *server) feed(work context.Context, batch []unfed) {
	if batch[0].flight.delivery.Delivered > suspectAfter {
		s.quarantine(work, batch)
		return
	}
	f := batch[0].flight
	defer f.finishFeeding()
	if do := s.work(work, batch[0]); do != nil {
		s.together(work, f, batch[0].shard, do)
	}
}

// work makes what a flight's records go through; nil when no rows of it are wanted.
func (s *server) work(work context.Context, u unfed) doRecord {
	f := u.flight
	if f.halting() != nil {
		return nil
	}
	todo := s.engine.Work(u.shard, rows.Origin{Job: f.job, Shard: f.shard, StreamSequence: f.delivery.Sequence, Unwanted: func() bool { return f.halting() != nil }})
	f.vectors = todo.Vectors()
	if err := f.lane.table.Accepts(work, f.vectors); err != nil {
		f.halt(err)
		return nil
	}
	return func(record jobs.Record, done func([]export.Row)) error { return todo.Do(work, record, done) }
}

// records yields what is to be run of a shard.
func (s *server) records(ctx context.Context, shard *jobs.Shard) iter.Seq2[jobs.Record, error] {
	return s.inputs.Records(ctx, shard, input.Options{MaxRecordBytes: s.limits.RecordBytes})
}

// end settles a flight that never reached a committer.
func (s *server) end(work context.Context, f *flight, found finding) {
	go func() {
		s.settler.settle(work, f, f.decide(found))
		f.release()
	}()
}

// release ends a flight and has its duplicates taken again.
func (s *server) release(work context.Context, f *flight) {
	if f.lane != nil {
		f.lane.close()
	}
	for _, waiting := range s.ledger.release(f) {
		go func() {
			select {
			case s.again <- waiting.delivery:
			case <-s.stopped:
				s.handBack(work, waiting.delivery)
			}
		}()
	}
}
