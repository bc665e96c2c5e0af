package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/naming"
)

// Two daemons hold the same deliveries, each of which came so often that it must run alone: as after they were stopped again and
// again for longer than a lease. They share that backlog, instead of both running each of it at the same time.
func TestFrozenDaemonsShareTheirBacklog(t *testing.T) {
	c := world(t, Spec{Name: "frozen", Daemons: 2, NoDead: true})
	const shards, records, attempts = 400, 60, 6
	publish := func(job string) {
		t.Helper()
		for s := range shards {
			for i := range records {
				n := i % poolSize
				c.wants[fmt.Sprintf("%s-%d-%d", job, s, i)] = &want{text: c.camp.Refs.Texts[n], vector: c.camp.Refs.Vectors[n], dataset: dataset}
			}
		}
		if err := c.publish(t.Context(), c.job(job, shards, records)); err != nil {
			t.Fatal(err)
		}
	}
	drained := func() (left uint64, perSecond float64) {
		t.Helper()
		left, err := c.pub.waiting(t.Context())
		begun := time.Now()
		if err == nil {
			err = c.empty(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return left, float64(left) / time.Since(begun).Seconds()
	}
	signal := func(s syscall.Signal) {
		for _, k := range c.keepers {
			k.current().signal(s)
		}
	}
	publish("warm")
	drained()
	publish("calm")
	_, calm := drained()

	sha := c.modelSHA256(t)
	signal(syscall.SIGSTOP)
	publish("frozen")
	c.handBack(t, "frozen", sha, shards*attempts)
	for range 6 {
		signal(syscall.SIGCONT)
		err := pause(t.Context(), 200*time.Millisecond)
		signal(syscall.SIGSTOP)
		if err = errors.Join(err, pause(t.Context(), ackWait+300*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	before := len(c.ranAlone(t))
	signal(syscall.SIGCONT)
	left, frozen := drained()
	alone := c.ranAlone(t)[before:]
	slices.Sort(alone)
	different := len(slices.Compact(slices.Clone(alone)))
	t.Logf("%d of %d shards were left, %d of them ran alone, in %d runs; %.1f shards/s, others %.1f", left, shards, different, len(alone), frozen, calm)
	if different < shards/8 || len(alone) > different*5/4 {
		t.Errorf("%d runs of %d shards", len(alone), different)
	}
	if frozen < calm/3 { // half, on a machine with nothing else to do
		t.Errorf("%.1f shards/s, others %.1f", frozen, calm)
	}
	if err := c.finish(t); err != nil || !c.res.Sound() || c.res.Rows != 3*shards*records {
		t.Errorf("%v: %d rows, %d lost, %d doubled, %d wrong: %v", err, c.res.Rows, c.res.Lost, c.res.Doubled, c.res.Wrong, c.res.Problems)
	}
}

// finish ends the daemons and holds the cell to what was promised.
func (c *cell) finish(t *testing.T) (err error) {
	t.Helper()
	if err := c.stop(); err != nil {
		return err
	}
	if c.camp.deltars, err = newDeltars(c.camp.Python); err != nil {
		return err
	}
	return errors.Join(c.check(t.Context()), c.camp.deltars.close())
}

func (c *cell) modelSHA256(t *testing.T) string {
	t.Helper()
	served, err := c.queue(t).Serving(t.Context(), 2*time.Second)
	if err != nil || len(served) == 0 {
		t.Fatal(served, err)
	}
	for _, s := range served {
		if s.Model == Model {
			return s.ModelSHA256
		}
	}
	t.Fatalf("nobody serves %s: %+v", Model, served)
	return ""
}

// handBack takes so many deliveries of a job and gives them back.
func (c *cell) handBack(t *testing.T, job, sha string, deliveries int) {
	t.Helper()
	consumer, err := c.queue(t).Consumer(t.Context(), jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: job}.String(), sha)
	if err != nil {
		t.Fatal(err)
	}
	for deliveries > 0 {
		got, err := consumer.Fetch(t.Context(), min(deliveries, 100), 64<<20)
		for _, d := range got {
			err = errors.Join(err, d.Nak(0))
		}
		if err != nil {
			t.Fatal(err)
		}
		deliveries -= len(got)
	}
}

func (c *cell) queue(t *testing.T) *queue.Queue {
	t.Helper()
	q, err := queue.Connect(t.Context(), queue.Options{URL: c.clean.url(), AckWait: ackWait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

// ranAlone are the shards of the daemons' logs that ran alone, in the order of the logs, one for each run.
func (c *cell) ranAlone(t *testing.T) (all []string) {
	t.Helper()
	for i := range c.keepers {
		log, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("daemon%d.log", i)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			var said struct{ Msg, Job, Shard string }
			if json.Unmarshal([]byte(line), &said) == nil && strings.Contains(said.Msg, "runs alone") {
				all = append(all, said.Job+"/"+said.Shard)
			}
		}
	}
	return all
}
