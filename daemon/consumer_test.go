package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/work/rows"
)

// More jobs than there may be consumers, one after the other, must not wait until the first consumers have been idle for long.
func TestIdleConsumersMakeRoom(t *testing.T) {
	now := time.Now()
	consumers := map[string]*subject{"idle": {place: 1, seen: now.Add(-2 * time.Second)}, "longest idle": {place: 2, seen: now.Add(-3 * time.Second)},
		"busy": {place: 1, seen: now.Add(-9 * time.Second)}, "of another model": {refused: true}, "without a place": {seen: now}}
	var states []queue.SubjectState
	for _, name := range []string{"busy", "new", "newer", "newest"} {
		states = append(states, queue.SubjectState{Subject: name})
	}
	for _, c := range []struct {
		states int
		most   int
		want   []string
	}{
		{states: 1, most: 3, want: nil},
		{states: 2, most: 4, want: nil},
		{states: 2, most: 3, want: []string{"longest idle"}},
		{states: 3, most: 3, want: []string{"longest idle", "idle"}},
		{states: 4, most: 3, want: []string{"longest idle", "idle", "busy"}},
	} {
		if got := surplus(consumers, states[:c.states], c.most); !slices.Equal(got, c.want) {
			t.Errorf("%d subjects, at most %d consumers: %v goes, want %v", c.states, c.most, got, c.want)
		}
	}
}

// A job whose name comes late in the order has its turn though new ones before it never end.
func TestLateNamesHaveTheirTurn(t *testing.T) {
	const most = 4
	waits, s := []string{"zzz"}, consumer{subjects: map[string]*subject{}}
	for round := range 10 {
		for i := range most { // as many as there may be consumers, again and again
			waits = append(waits, fmt.Sprintf("a-%d-%d", round, i))
		}
		slices.Sort(waits)
		var states []queue.SubjectState
		for _, name := range waits {
			states = append(states, queue.SubjectState{Subject: name})
		}
		for _, name := range surplus(s.subjects, states, most) {
			s.subjects[name].place = 0
		}
		s.turns.order(states, s.subjects)
		for _, state := range states {
			if s.subjects[state.Subject].waits() && taken(s.subjects) >= most {
				continue
			}
			s.subjects[state.Subject] = &subject{place: s.turns.enter(state.Subject), seen: time.Now()}
			waits = slices.DeleteFunc(waits, func(n string) bool { return n == state.Subject })
		}
		if !slices.Contains(waits, "zzz") {
			return
		}
	}
	t.Error("it waits for ever")
}

func TestWhoHasWaitedLongestComesFirst(t *testing.T) {
	var all turns
	order := func(names ...string) string {
		var states []queue.SubjectState
		for _, name := range names {
			states = append(states, queue.SubjectState{Subject: name})
		}
		all.order(states, map[string]*subject{"has one": {place: 1}})
		names = names[:0]
		for _, s := range states {
			names = append(names, s.Subject)
		}
		return strings.Join(names, ", ")
	}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"c", "d", "has one"}, "has one, c, d"},
		{[]string{"b", "c", "d", "has one"}, "has one, c, d, b"},
		{[]string{"a", "b", "d"}, "d, b, a"}, // c was served
		{[]string{"a", "c", "d"}, "d, a, c"},
	} {
		if got := order(slices.Clone(c.names)...); got != c.want {
			t.Errorf("of %v: %s, want %s", c.names, got, c.want)
		}
	}
}

// recorder notes whose records reach a model, in their order.
type recorder struct {
	engine
	mu   sync.Mutex
	jobs []string
}

func (r *recorder) Work(s *jobs.Shard, o rows.Origin) rows.Work {
	r.mu.Lock()
	r.jobs = append(r.jobs, o.Job)
	r.mu.Unlock()
	return r.engine.Work(s, o)
}

// Where more jobs have long queues than there may be consumers, each has its turn before any has a second one, and nothing is lost or
// left behind by those that make room.
func TestLongQueuesMakeRoomForEachOther(t *testing.T) {
	const most, long = 2, turnMessages + 8
	cfg := testConfig(t)
	before := beforehand(t, &cfg)
	offer := func(job string, shard int) {
		m := queue.JobMessage{Subject: embedSubject + "." + job, Data: fmt.Appendf(nil, `{"job":%q,"shard":%d,"dataset":"turns","records":[{"id":"%[1]s-%[2]d","text":"a"}]}`, job, shard)}
		if err := before.queue.PublishJob(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for shard := range long {
		for job := range 3*most - 1 {
			offer(fmt.Sprint("long-", job), shard)
		}
	}
	offer("small", 0)
	if err := before.queue.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var seen recorder
	r := startChanged(t, cfg, func(d *Daemon) {
		s := d.consumers[0]
		seen.engine, s.most = s.engine, most
		s.engine = &seen
	})
	committed := map[string]bool{}
	for len(committed) < long*(3*most-1)+1 {
		e := r.await(jobs.EventCommitted)
		committed[e.Job+"/"+e.Shard] = true
	}
	r.drain()

	turns := map[string]int{}
	for i, job := range seen.jobs {
		if turns[job]++; turns[job] > turnMessages && len(turns) < 3*most {
			t.Fatalf("record %d is the second turn of %s; by then only %v had one", i, job, turns)
		}
	}
	for job := range turns {
		subject := embedSubject + "." + job
		if _, err := before.queue.Consumer(t.Context(), subject, "of no model"); err != nil && r.daemon.consumers[0].subjects[subject] == nil {
			t.Errorf("the daemon has forgotten a consumer of %s, which nobody will remove: %v", job, err)
		}
	}
}

// A subject that daemons with other weights serve is told of once a minute, and served when they have given it up.
func TestARefusedSubjectIsAskedForAgain(t *testing.T) {
	cfg := testConfig(t)
	before := beforehand(t, &cfg)
	name := embedSubject + ".theirs"
	theirs, err := before.queue.Consumer(t.Context(), name, "other weights")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := newConsumer(before.queue, &executor{loadedModel: loadedModel{spec: &models.Spec{Task: "embed", Name: model, SHA256: "our weights"}},
		feed: newFeed(), log: slog.New(slog.NewTextHandler(&log, nil))})
	s.most, s.free = 1, 1
	for range 100 { // rounds
		s.fetch(t.Context(), name)
		s.retire(t.Context())
	}
	if n := strings.Count(log.String(), "subject not served"); n != 1 || s.free != 1 {
		t.Errorf("%d lines, %d places left", n, s.free)
	}
	if gone, err := theirs.Remove(t.Context()); err != nil || !gone {
		t.Fatalf("%v, %v", gone, err)
	}
	s.subjects[name].seen = time.Now().Add(-retireAfter)
	s.retire(t.Context())
	s.fetch(t.Context(), name)
	if sub := s.subjects[name]; sub == nil || sub.refused || s.free != 0 {
		t.Errorf("it is not served: %+v; %s", sub, &log)
	}
}
