package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/work/rows"
)

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
	s.subjects[name].Seen = time.Now().Add(-retireAfter)
	s.retire(t.Context())
	s.fetch(t.Context(), name)
	if sub := s.subjects[name]; sub == nil || sub.Refused || s.free != 0 {
		t.Errorf("it is not served: %+v; %s", sub, &log)
	}
}
