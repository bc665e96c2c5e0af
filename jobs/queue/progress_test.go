package queue

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"textmill/jobs"
)

func TestSpansAgreeWithAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s spans
	seen := map[uint64]bool{}
	for range 20_000 {
		n := r.Uint64N(5000)
		if s.add(n) == seen[n] {
			t.Fatalf("add(%d) disagrees", n)
		}
		seen[n] = true
		if s.size != len(seen) {
			t.Fatalf("size %d, want %d", s.size, len(seen))
		}
	}
	for i, p := range s.list {
		if p.lo > p.hi || i > 0 && s.list[i-1].hi+1 >= p.lo {
			t.Fatalf("spans %v", s.list)
		}
	}
	for n := range uint64(5000) {
		s.add(n)
	}
	if len(s.list) != 1 {
		t.Errorf("all numbers take %d spans", len(s.list))
	}
}

func TestSpansAreBounded(t *testing.T) {
	var s spans
	for n := range uint64(mostSpans + 10) {
		s.add(2 * n)
	}
	if len(s.list) != mostSpans || s.size != mostSpans+10 {
		t.Errorf("%d spans, size %d", len(s.list), s.size)
	}
	if s.add(1) || !s.add(2*mostSpans-1) {
		t.Error("the gap that was given up is not the lowest")
	}
}

func TestProgress(t *testing.T) {
	dead := func(shard string) jobs.Event {
		return jobs.Event{Type: jobs.EventDead, Job: "j", Shard: shard, Time: time.Now()}
	}
	total := jobs.Event{Type: jobs.EventSubmitted, Job: "j", Shards: 3}
	done := jobs.Event{Type: jobs.EventDone, Job: "j", Shards: 3, Rows: 25, Errors: 0}
	cancelled := jobs.Event{Type: jobs.EventCancelled, Job: "j", Time: time.Now()}
	tests := []struct {
		name   string
		events []jobs.Event
		want   JobStatus
	}{
		{"only submitted", []jobs.Event{total}, JobStatus{State: StateQueued, Shards: 3}},
		{"of unknown size", []jobs.Event{committed("j", "0", 10)}, JobStatus{State: StateOpen, ShardsDone: 1, Rows: 10}},
		{"repeated events count once", []jobs.Event{total, committed("j", "0", 10), committed("j", "0", 10), committed("j", "a b", 5), committed("j", "a b", 5)},
			JobStatus{State: StateRunning, Shards: 3, ShardsDone: 2, Rows: 15}},
		{"all settled", []jobs.Event{committed("j", "2", 1), committed("j", "0", 10), dead("1"), total}, JobStatus{State: StateFailed, Shards: 3, ShardsDone: 3, Rows: 11, Dead: 1}},
		{"repeated after done", []jobs.Event{total, committed("j", "0", 10), committed("j", "1", 10), committed("j", "2", 5), done, committed("j", "1", 10)},
			JobStatus{State: StateDone, Shards: 3, ShardsDone: 3, Rows: 25}},
		{"only done is left of it", []jobs.Event{done}, JobStatus{State: StateDone, Shards: 3, ShardsDone: 3, Rows: 25}},
		{"dead and retried with success", []jobs.Event{total, dead("0"), committed("j", "0/r1", 4), committed("j", "0/r1", 4)},
			JobStatus{State: StateRunning, Shards: 3, ShardsDone: 1, Rows: 4}},
		{"dead, retried and dead", []jobs.Event{total, dead("0"), dead("0/r1"), dead("0")}, JobStatus{State: StateRunning, Shards: 3, ShardsDone: 1, Dead: 1}},
		{"dead is told again after the retry", []jobs.Event{total, dead("0"), committed("j", "0/r1", 4), dead("0"), committed("j", "0/r1", 4)},
			JobStatus{State: StateRunning, Shards: 3, ShardsDone: 1, Rows: 4}},
		{"retried after done", []jobs.Event{total, dead("0"), committed("j", "1", 10), committed("j", "2", 15), done, committed("j", "0/r1", 4), committed("j", "0/r1", 4)},
			JobStatus{State: StateDone, Shards: 3, ShardsDone: 3, Rows: 29}},
		{"cancelled", []jobs.Event{total, committed("j", "0", 10), cancelled}, JobStatus{State: StateCancelled, Shards: 3, ShardsDone: 1, Rows: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProgress("j")
			for _, e := range tt.events {
				p.apply(e)
			}
			got := p.report(time.Now())
			tt.want.Dataset = got.Dataset
			tt.want.Job, tt.want.ETASeconds, tt.want.Table, tt.want.Version, tt.want.Updated = "j", got.ETASeconds, got.Table, got.Version, got.Updated
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// of is an event of a lane, told by a daemon that says all.
func of(kind, model, shard, payload string, rows int64) jobs.Event {
	return jobs.Event{Type: kind, Job: "j", Shard: shard, Rows: rows, PayloadSHA256: payload, Task: "embed", Model: model, Dataset: "d", Time: time.Now()}
}

func TestProgressTellsPayloadsAndModelsApart(t *testing.T) {
	total := func(model string, n int) jobs.Event {
		return jobs.Event{Type: jobs.EventSubmitted, Job: "j", Shards: n, Task: "embed", Model: model, Dataset: "d"}
	}
	done := jobs.Event{Type: jobs.EventDone, Job: "j", Shards: 1, Rows: 5}
	for _, tt := range []struct {
		name   string
		events []jobs.Event
		want   JobStatus
	}{
		{"a name used again for another model is more work", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), done, total("n", 1)},
			JobStatus{State: StateRunning, Model: "m,n", Shards: 2, ShardsDone: 1, Rows: 5}},
		{"whose rows are counted too", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), done, total("n", 1), of("committed", "n", "0", "a", 5)},
			JobStatus{State: StateDone, Model: "m,n", Shards: 2, ShardsDone: 2, Rows: 10}},
		{"a name used again with other records is dead", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), done, total("m", 1), of("dead", "m", "0", "b", 0)},
			JobStatus{State: StateFailed, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5, Dead: 1}},
		{"and stays so when the first is told again", []jobs.Event{total("m", 1), of("dead", "m", "0", "b", 0), of("committed", "m", "0", "a", 5), of("committed", "m", "0", "a", 5)},
			JobStatus{State: StateFailed, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5, Dead: 1}},
		{"until its retry is committed", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), of("dead", "m", "0", "b", 0), of("committed", "m", "0/r1", "b", 3)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 8}},
		{"or it is resolved", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), of("dead", "m", "0", "b", 0), of("resolved", "m", "0", "b", 0), of("resolved", "m", "0", "b", 0)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5, Resolved: 1}},
		{"by the letter of a retry", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), of("dead", "m", "0", "b", 0), of("dead", "m", "0/r1", "b", 0), of("resolved", "m", "0/r1", "b", 0), of("dead", "m", "0", "b", 0)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5, Resolved: 1}},
		{"which another payload's resolution does not do", []jobs.Event{total("m", 1), of("dead", "m", "0", "a", 0), of("dead", "m", "0", "b", 0), of("resolved", "m", "0", "b", 0)},
			JobStatus{State: StateFailed, Model: "m", Shards: 1, ShardsDone: 1, Dead: 1, Resolved: 1}},
		{"nor one of what is committed", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), of("resolved", "m", "0", "a", 0)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5}},
		{"it dies again when its message comes again", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), of("dead", "m", "0", "b", 0), of("resolved", "m", "0", "b", 0), of("dead", "m", "0", "b", 0)},
			JobStatus{State: StateFailed, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5, Dead: 1}},
		{"what a retry of it committed counts", []jobs.Event{total("m", 1), of("dead", "m", "0", "b", 0), of("resolved", "m", "0", "b", 0), of("committed", "m", "0/r1", "b", 3)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 3}},
		{"each payload is dead for itself", []jobs.Event{total("m", 1), of("dead", "m", "0", "a", 0), of("dead", "m", "0", "b", 0), of("committed", "m", "0/r1", "b", 3)},
			JobStatus{State: StateFailed, Model: "m", Shards: 1, ShardsDone: 1, Rows: 3, Dead: 1}},
		{"a job that was done grows", []jobs.Event{total("m", 1), of("committed", "m", "0", "a", 5), done, total("m", 3), of("committed", "m", "1", "c", 5)},
			JobStatus{State: StateRunning, Model: "m", Shards: 3, ShardsDone: 2, Rows: 10}},
		{"though only its end is known", []jobs.Event{done, total("m", 2), of("committed", "m", "0", "a", 5), of("committed", "m", "1", "c", 5)},
			JobStatus{State: StateDone, Model: "m", Shards: 2, ShardsDone: 2, Rows: 10}},
		{"an older daemon tells of the same shards", []jobs.Event{total("m", 2), committed("j", "0", 5), of("committed", "m", "0", "a", 5), of("committed", "m", "1", "c", 5), committed("j", "1", 5)},
			JobStatus{State: StateDone, Model: "m", Shards: 2, ShardsDone: 2, Rows: 10}},
		{"an older publisher said how many there are", []jobs.Event{{Type: jobs.EventSubmitted, Job: "j", Shards: 2}, of("committed", "m", "0", "a", 5)},
			JobStatus{State: StateRunning, Model: "m", Shards: 2, ShardsDone: 1, Rows: 5}},
		{"an older daemon's dead letter, retried by a newer one", []jobs.Event{total("m", 1), {Type: jobs.EventDead, Job: "j", Shard: "0"}, of("committed", "m", "0/r1", "a", 5)},
			JobStatus{State: StateDone, Model: "m", Shards: 1, ShardsDone: 1, Rows: 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProgress("j")
			for _, e := range tt.events {
				p.apply(e)
			}
			got := p.report(time.Now())
			tt.want.Job, tt.want.Task, tt.want.Dataset = "j", "embed", "d"
			got.ETASeconds, got.Table, got.Version, got.Updated = nil, "", 0, time.Time{}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestProgressDoesNotDependOnOrderOrRepeats tells a random history of a few shards in random orders, parts of it twice.
func TestProgressDoesNotDependOnOrderOrRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 10))
	for range 300 {
		events := []jobs.Event{{Type: jobs.EventSubmitted, Job: "j", Shards: 4, Task: "embed", Model: "m", Dataset: "d"}}
		for shard := range 4 {
			name, payload := strconv.Itoa(shard), "p"+strconv.Itoa(shard)
			for n := range r.IntN(3) { // dead so often
				events = append(events, of("dead", "m", retried(name, n), payload, 0))
			}
			if deaths := len(events); r.IntN(4) > 0 {
				n := 0
				for _, e := range events[:deaths] {
					if base := nameOf(e); base.base == name && e.Type == jobs.EventDead {
						n = base.retry + 1
					}
				}
				events = append(events, of("committed", "m", retried(name, n), payload, int64(1+r.IntN(9))))
			}
			if r.IntN(3) == 0 {
				events = append(events, of("dead", "m", name, "another", 0))
			}
		}
		var first JobStatus
		for i := range 4 {
			told := append(slices.Clone(events), events[r.IntN(len(events)):]...)
			if i > 0 {
				r.Shuffle(len(told), func(a, b int) { told[a], told[b] = told[b], told[a] })
			}
			p := newProgress("j")
			for _, e := range told {
				p.apply(e)
			}
			s := p.report(time.Now())
			s.ETASeconds, s.Updated = nil, time.Time{}
			if i == 0 {
				first = s
			} else if s != first {
				t.Fatalf("in one order %+v, in another %+v: %v", first, s, told)
			}
		}
	}
}

func retried(shard string, n int) string {
	if n == 0 {
		return shard
	}
	return shard + "/r" + strconv.Itoa(n)
}

func TestETA(t *testing.T) {
	p := newProgress("j")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p.apply(jobs.Event{Type: jobs.EventSubmitted, Shards: 1000})
	for i := range 500 { // 10 shards a second
		e := committed("j", "", 1)
		e.Shard, e.Time = time.Duration(i).String(), start.Add(time.Duration(i)*100*time.Millisecond)
		p.apply(e)
	}
	at := start.Add(50 * time.Second)
	eta := p.report(at).ETASeconds
	if eta == nil || *eta < 49 || *eta > 51 {
		t.Errorf("eta %v, want about 50", eta)
	}
	if eta := p.report(at.Add(time.Hour)).ETASeconds; eta == nil || *eta < 3000 {
		t.Errorf("eta after an hour of silence %v", eta)
	}
	if n := len(p.rate.samples); n > mostSamples {
		t.Errorf("%d samples", n)
	}
}

// Shards of one commit end at one moment, which tells no pace.
func TestOneCommitTellsNoPace(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var r Rate
	for i := range 3 {
		r.Note(start.Add(time.Duration(i)*time.Microsecond), int64(500*i))
	}
	soon := start.Add(10 * time.Millisecond)
	if pace, eta := r.PerSecond(soon), r.ETA(soon, 3000); pace != 0 || eta != nil {
		t.Errorf("%v a second, eta %v", pace, eta)
	}
	r.Note(start.Add(10*time.Second), 2000)
	if pace := r.PerSecond(start.Add(10 * time.Second)); pace < 150 || pace > 250 {
		t.Errorf("%v a second", pace)
	}
}

// A cancel ends what the server had before it was asked for. What came later lives, whenever the cancel was confirmed.
func TestAJobGoesOnAfterItsCancel(t *testing.T) {
	asked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return asked.Add(time.Duration(second) * time.Second) }
	request := jobs.Event{Type: jobs.EventCancelled, Job: "j", Time: asked}
	confirmed := jobs.Event{Type: jobs.EventCancelled, Job: "j", Table: "/t", Time: at(9)}
	text := func(kind, sequence string, published time.Time) jobs.Event {
		e := of(kind, "m", sequence, "p"+sequence, 1)
		e.Published = published
		return e
	}
	early, late, died := text("committed", "1", at(-1)), text("committed", "2", at(1)), text("dead", "3", at(2))
	again := jobs.Event{Type: jobs.EventCancelled, Job: "j", Time: at(20)}
	old := text("committed", "4", time.Time{})
	for _, c := range []struct {
		name   string
		events []jobs.Event
		want   string
	}{
		{"what was published before is over", []jobs.Event{request, early, confirmed}, StateCancelled},
		{"what was published later, and before the confirmation, lives", []jobs.Event{request, late, confirmed}, StateOpen},
		{"also when it comes after the confirmation", []jobs.Event{request, early, confirmed, late}, StateOpen},
		{"a dead letter of it too", []jobs.Event{early, request, confirmed, died}, StateOpen},
		{"until it is cancelled again", []jobs.Event{request, late, confirmed, again}, StateCancelled},
		{"and goes on once more", []jobs.Event{request, late, again, text("committed", "5", at(21))}, StateOpen},
		{"of the request nothing is left", []jobs.Event{confirmed, late}, StateCancelled},
		{"an older daemon says nothing of it", []jobs.Event{request, confirmed, old}, StateCancelled},
		{"all of it was done", []jobs.Event{{Type: jobs.EventSubmitted, Job: "j", Shards: 1, Task: "embed", Model: "m", Dataset: "d"}, early,
			{Type: jobs.EventDone, Job: "j", Shards: 1}, request}, StateDone},
	} {
		p := newProgress("j")
		for _, e := range c.events {
			p.apply(e)
		}
		if got := p.report(at(30)).State; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
