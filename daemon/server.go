package daemon

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"textmill/crash"
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
		for _, d := range suspectsLast(deliveries) {
			took = true
			if ctx.Err() != nil {
				s.handBack(work, d)
				continue
			}
			s.take(work, d)
		}
		s.takeAgain(work)
	}
	return took
}

// suspectsLast puts what must run alone after the rest, in an order that no other daemon has: two that hold the same suspects, as
// when both were stopped for longer than a lease, then do not run the same ones at the same time.
func suspectsLast(deliveries []*queue.Delivery) []*queue.Delivery {
	var rest, suspects []*queue.Delivery
	for _, d := range deliveries {
		if d.Delivered > suspectAfter {
			suspects = append(suspects, d)
		} else {
			rest = append(rest, d)
		}
	}
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	return append(rest, suspects...)
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

// take sees a delivery from its message to its records in the engine.
func (s *server) take(work context.Context, d *queue.Delivery) {
	crash.Point("fetched")
	shard, err := jobs.Decode(d.Message(), s.limits)
	f := newFlight(d, shard)
	f.weights = s.spec.SHA256
	f.release = func() { s.release(work, f) }
	if !s.ledger.enter(f) {
		return
	}
	if err != nil {
		s.end(work, f, finding{failed: err})
		return
	}
	lane, err := s.committers.open(work, f.dataset)
	if err != nil {
		s.end(work, f, finding{failed: err})
		return
	}
	f.lane = lane
	found, settled, err := lookUp(work, lane.table, f)
	if err == nil && !settled {
		found, settled, err = s.ended(work, lane.table, f)
	}
	if err == nil && !settled { // what cannot be written need not be computed
		err = lane.table.Writable(work)
		s.committers.refused.note(f.dataset, err)
	}
	if err == nil && settled {
		err = s.recount(work, f, shard, found)
	}
	if err != nil {
		found = finding{failed: err}
	}
	if err != nil || settled {
		s.end(work, f, found)
		return
	}
	if f.shards > 0 {
		s.events.Tracker().Expect(f.job, f.shards)
	}
	bytes := len(d.Data)
	d.Data = nil // Payload reads it again, should it be needed
	if s.feeder != nil {
		s.feeder.add(f, shard, bytes)
		return
	}
	s.feed(work, f, shard)
}

// lookUp asks the table's log whether a delivery was settled before it came.
func lookUp(ctx context.Context, t *export.Table, f *flight) (finding, bool, error) {
	if f.delivery.Delivered > 1 {
		if err := t.Refresh(ctx); err != nil {
			return finding{}, false, err
		}
	}
	logged, err := t.Lookup(ctx, f.key)
	if err != nil || logged == export.Absent {
		return finding{}, false, err
	}
	found := finding{logged: logged, version: t.Version(), earlier: true}
	if logged == export.Committed {
		// Another daemon may have put it there and not yet made it durable.
		err = t.SyncEntry(ctx, f.key)
	}
	return found, true, err
}

// ended carries out a cancel on a delivery whose table has not heard of it, as when its job shares a subject and its dataset
// was unknown. The verdict goes into the table's log first, as for any other.
func (s *server) ended(ctx context.Context, t *export.Table, f *flight) (finding, bool, error) {
	at, cancelled := s.events.Cancelled(f.job, f.delivery.Timestamp)
	if !cancelled {
		return finding{}, false, nil
	}
	result, err := t.Judge(ctx, []export.Verdict{export.CancelVerdict(f.job, at)})
	return finding{logged: export.Cancelled, version: result.Version}, err == nil, err
}

// recount finds out how many rows a delivery has in the table that was committed before it came, and which of its records are
// dead letters, for the case that neither was published then.
func (s *server) recount(ctx context.Context, f *flight, shard *jobs.Shard, found finding) error {
	if found.logged != export.Committed {
		return nil
	}
	f.rows, f.uncounted = len(shard.Records), true
	if f.delivery.Delivered < 2 {
		return nil // a publisher's repeat, long announced
	}
	counted, known, err := f.lane.table.Tally(ctx, f.key, export.Origin{Job: f.job, Shard: f.shard, Task: f.task, Model: f.model})
	if err != nil {
		s.log.WarnContext(ctx, "rows of a settled delivery not counted", "job", f.job, "shard", f.shard, "error", err.Error())
	}
	if known {
		f.rows, f.errors, f.uncounted = int(counted.Rows), int(counted.Errors), false
		f.truncated, f.dropped = int(counted.Truncated), int(counted.Dropped)
	}
	if f.delivery.Delivered <= suspectAfter {
		return nil
	}
	return s.recall(ctx, f, shard)
}

// feed sends a shard's records through the engine.
func (s *server) feed(work context.Context, f *flight, shard *jobs.Shard) {
	defer f.finishFeeding()
	if f.halting() != nil {
		return
	}
	todo := s.engine.Work(shard, rows.Origin{Job: f.job, Shard: f.shard, StreamSequence: f.delivery.Sequence, Unwanted: func() bool { return f.halting() != nil }})
	f.vectors = todo.Vectors()
	if err := f.lane.table.Accepts(work, f.vectors); err != nil {
		f.halt(err)
		return
	}
	do := func(record jobs.Record, done func([]export.Row)) error { return todo.Do(work, record, done) }
	if f.delivery.Delivered > suspectAfter {
		s.suspected(work, f, shard, do)
		return
	}
	s.together(work, f, shard, do)
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
