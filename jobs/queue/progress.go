package queue

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"textmill/jobs"
)

// progress is what the events of one job come to, the only place where they are added up. Repeated events, and
// events in another order, give the same counts.
//
// A job's name may be used again, for another model or with other records. Within a lane the table holds one payload
// under each shard's name, so there rows are counted once a name. A dead letter is counted for its payload, until a
// retry of that payload is committed.
type progress struct {
	status    JobStatus
	lanes     map[laneName]*lane
	attempts  map[string][]attempt // of shards that ended as dead letters or were retried
	dropped   names                // messages, by shard and payload
	end       time.Time            // of the latest request to cancel, by the server's clock; zero where there is none
	latest    time.Time            // message that was committed or judged dead, likewise
	submitted bool                 // somebody says, or will say, how many shards there are
	announced int                  // shards that the latest `done` event speaks of
	rate      Rate                 // of shards
	rows      Rate
}

// laneName is "" in all for events of daemons and publishers that do not say.
type laneName struct{ task, model, dataset string }

type lane struct {
	shards  int   // how many there are, 0 = not known
	settled names // ended in one way or another
	counted names // those whose rows are counted
}

func newProgress(job string) *progress {
	return &progress{status: JobStatus{Job: job}, lanes: make(map[laneName]*lane), attempts: make(map[string][]attempt)}
}

func (p *progress) apply(e jobs.Event) {
	s := &p.status
	if e.Table != "" {
		s.Table, s.Version = e.Table, max(s.Version, e.Version)
	}
	if e.Time.After(s.Updated) {
		s.Updated = e.Time
	}
	switch e.Type {
	case jobs.EventSubmitted:
		p.submitted = true
		p.expect(laneOf(e), e.Shards)
	case jobs.EventCommitted, jobs.EventDead, jobs.EventResolved:
		p.expect(laneOf(e), e.Shards)
		p.ended(e)
	case jobs.EventDropped:
		if e.Shard == "" || p.dropped.add(e.Shard+"/"+e.PayloadSHA256) {
			s.Dropped += max(e.Messages, 1)
		}
	case jobs.EventCancelled:
		p.cancel(e)
	case jobs.EventDone:
		p.announce(e)
	}
}

// ended takes in how a shard ended.
func (p *progress) ended(e jobs.Event) {
	at, shard := laneOf(e), nameOf(e)
	if e.Published.After(p.latest) {
		p.latest = e.Published
	}
	if p.add(at, shard.base, func(l *lane) *names { return &l.settled }) {
		p.status.ShardsDone++
		p.rate.Note(e.Time, int64(p.status.ShardsDone))
	}
	a := attempt{lane: at, payload: e.PayloadSHA256, n: shard.retry}
	a.end, _ = endOf(e)
	fresh := p.attempted(shard.base, a)
	if a.end != endCommitted {
		return
	}
	if a.n == 0 {
		fresh = p.add(at, shard.base, func(l *lane) *names { return &l.counted })
	}
	if fresh {
		s := &p.status
		s.Rows += e.Rows
		s.Errors += e.Errors
		s.Truncated += e.Truncated
		s.CutTokens += e.Dropped
		p.rows.Note(e.Time, s.Rows)
	}
}

// add puts a shard into one of its lane's sets and reports whether it was new there. What an older daemon tells
// belongs to no lane: it is taken for what others tell of the same name.
func (p *progress) add(at laneName, shard string, set func(*lane) *names) bool {
	if at == (laneName{}) || p.lanes[laneName{}] != nil {
		for name, l := range p.lanes {
			if name != at && (name == laneName{} || at == laneName{}) && set(l).has(shard) {
				return false
			}
		}
	}
	return set(p.lane(at)).add(shard)
}

func (p *progress) lane(name laneName) *lane {
	l := p.lanes[name]
	if l == nil {
		if len(p.lanes) >= mostLanes {
			name = laneName{}
			if l = p.lanes[name]; l != nil {
				return l
			}
		}
		l = &lane{}
		p.lanes[name] = l
	}
	return l
}

// mostLanes bounds the memory of one job's name.
const mostLanes = 256

// expect takes in how many shards are said to be.
func (p *progress) expect(at laneName, shards int) {
	if shards > 0 {
		l := p.lane(at)
		l.shards = max(l.shards, shards)
	}
}

// total is how many shards there are, 0 while nobody says.
func (p *progress) total() int {
	sum, unnamed := 0, 0
	for name, l := range p.lanes {
		if name == (laneName{}) {
			unnamed = l.shards
		} else {
			sum += l.shards
		}
	}
	return max(sum, unnamed)
}

// announce takes in that all was settled once. Its counts hold where older events are gone from the stream.
func (p *progress) announce(e jobs.Event) {
	s := &p.status
	p.announced = max(p.announced, e.Shards)
	at := laneOf(e)
	if _, known := p.lanes[at]; !known { // it speaks of the only one, or of several
		at = laneName{}
		if len(p.lanes) == 1 {
			for at = range p.lanes {
			}
		}
	}
	p.expect(at, e.Shards)
	if l := p.lane(at); len(p.lanes) == 1 && l.settled.size() < e.Shards {
		s.ShardsDone += l.settled.fill(e.Shards)
		l.counted.fill(e.Shards)
	}
	s.ShardsDone = max(s.ShardsDone, e.Shards)
	s.Rows, s.Errors = max(s.Rows, e.Rows), max(s.Errors, e.Errors)
	for _, l := range p.lanes {
		l.settled.close()
		l.counted.close()
	}
}

// complete says that every shard of a job whose size is known is settled.
func (p *progress) complete() bool {
	total := p.total()
	return total > 0 && p.status.ShardsDone >= total
}

// cancel takes in a request to cancel or its confirmation, which names a table. The request alone says what is ended:
// its confirmation is dated later, and counts where nothing is left of the request.
func (p *progress) cancel(e jobs.Event) {
	if e.Table == "" || p.end.IsZero() {
		p.end = e.Time
	}
	p.expect(laneName{}, e.Shards)
}

// isCancelled says that nothing of the job lives: the job of texts goes on with what is published after the request.
func (p *progress) isCancelled() bool { return !p.end.IsZero() && !p.latest.After(p.end) }

// isAnnounced says that a `done` event speaks of all that there is.
func (p *progress) isAnnounced() bool { return p.announced > 0 && p.announced >= p.total() }

func (p *progress) report(now time.Time) JobStatus {
	s := p.status
	s.Shards = p.total()
	s.State = p.state()
	s.Task, s.Model, s.Dataset = p.names()
	if s.State == StateRunning || s.State == StateOpen {
		s.RowsPerSecond = p.rows.PerSecond(now)
	}
	if s.State == StateRunning && s.Shards > 0 {
		s.ETASeconds = p.rate.ETA(now, int64(s.Shards))
	}
	return s
}

func (p *progress) state() string {
	s := &p.status
	switch {
	case p.isCancelled() && !p.isAnnounced():
		return StateCancelled
	case p.complete() && s.Dead > 0:
		return StateFailed
	case p.complete():
		return StateDone
	case s.ShardsDone == 0:
		return StateQueued
	case p.total() == 0 && !p.submitted, !p.end.IsZero(): // of a part that was cancelled nobody knows how large it was
		return StateOpen
	}
	return StateRunning
}

// names joins what the lanes are called; a table of an older daemon's event tells the dataset.
func (p *progress) names() (task, model, dataset string) {
	var tasks, models, datasets []string
	for l := range p.lanes {
		tasks, models, datasets = append(tasks, l.task), append(models, l.model), append(datasets, l.dataset)
	}
	task, model, dataset = joined(tasks), joined(models), joined(datasets)
	if table := strings.TrimRight(p.status.Table, "/"); dataset == "" && table != "" {
		dataset = path.Base(table)
	}
	return task, model, dataset
}

func joined(all []string) string {
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
	return strings.Join(all, ",")
}

// shardName is a shard's name in events, taken apart.
type shardName struct {
	base  string
	retry int // 0 = none
}

func nameOf(e jobs.Event) shardName {
	base, retry, retried := strings.Cut(e.Shard, "/r")
	if !retried {
		return shardName{base: base}
	}
	n, _ := strconv.Atoi(retry)
	return shardName{base, max(n, 1)}
}

func laneOf(e jobs.Event) laneName { return laneName{e.Task, e.Model, e.Dataset} }
