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

// Two daemons hold the same deliveries, each of which came so often that it must be quarantined: as after they were stopped again
// and again for longer than a lease. They share that backlog, instead of both running each of it, and do it at half of the rate
// of other work at least.
func TestFrozenDaemonsShareTheirBacklog(t *testing.T) {
	c := world(t, Spec{Name: "frozen", Daemons: 2, NoDead: true})
	const shards, records, attempts = 800, 60, 6
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
	drain := func() time.Duration {
		t.Helper()
		begun := time.Now()
		if err := c.empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	signal := func(s syscall.Signal) {
		for _, k := range c.keepers {
			k.current().signal(s)
		}
	}
	publish("warm")
	drain()

	sha := c.modelSHA256(t)
	signal(syscall.SIGSTOP)
	publish("frozen")
	c.handBack(t, "frozen", sha, shards, attempts)
	for range 2 {
		signal(syscall.SIGCONT)
		err := pause(t.Context(), 200*time.Millisecond)
		signal(syscall.SIGSTOP)
		if err = errors.Join(err, pause(t.Context(), ackWait+300*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	before := len(c.quarantined(t))
	signal(syscall.SIGCONT)
	took := drain()
	ran := c.quarantined(t)[before:]
	slices.Sort(ran)
	different := len(slices.Compact(slices.Clone(ran)))
	frozen := float64(different) / took.Seconds()

	signal(syscall.SIGSTOP)
	publish("calm")
	signal(syscall.SIGCONT)
	calm := shards / drain().Seconds()
	t.Logf("%d of %d shards were left for quarantine, in %d runs; %.1f shards/s, others %.1f", different, shards, len(ran), frozen, calm)
	if different < shards/2 || len(ran) > different*5/4 {
		t.Errorf("%d runs of %d shards", len(ran), different)
	}
	if frozen < calm/2 {
		t.Errorf("%.1f shards/s, others %.1f: less than half", frozen, calm)
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

// handBack takes all of a job's deliveries and gives them back, a number of times: each has come so often then.
func (c *cell) handBack(t *testing.T, job, sha string, deliveries, times int) {
	t.Helper()
	consumer, err := c.queue(t).Consumer(t.Context(), jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: job}.String(), sha)
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		var all []*queue.Delivery
		for len(all) < deliveries {
			got, err := consumer.Fetch(t.Context(), deliveries-len(all), 64<<20)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got...)
		}
		for _, d := range all { // none before all have come, or the same ones come again
			if err := d.Nak(0); err != nil {
				t.Fatal(err)
			}
		}
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

// quarantined are the shards of the daemons' logs that ran in quarantine, in the order of the logs, one for each run.
func (c *cell) quarantined(t *testing.T) (all []string) {
	t.Helper()
	for i := range c.keepers {
		log, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("daemon%d.log", i)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			var said struct {
				Msg, Job, Shard string
				Shards          []string
			}
			if json.Unmarshal([]byte(line), &said) != nil {
				continue
			}
			if strings.Contains(said.Msg, "runs alone") {
				said.Shards = append(said.Shards, said.Job+"/"+said.Shard)
			}
			all = append(all, said.Shards...)
		}
	}
	return all
}
