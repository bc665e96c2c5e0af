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

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// Two daemons hold the same deliveries, each of which came so often that it must be quarantined: as after they were stopped again
// and again for longer than a lease. They share that backlog, instead of both running each of it, and do it at half of the rate
// of other work at least. Both rates are of one run, one after the other; on a machine whose other load comes and goes up to three
// pairs are taken, one of which must show it.
func TestFrozenDaemonsShareTheirBacklog(t *testing.T) {
	c := world(t, Spec{Name: "frozen", Daemons: 2, NoDead: true})
	c.ready(t)
	c.submit(t, "warm")
	c.drained(t)
	half, pairs := false, 0
	for ; !half && pairs < 3; pairs++ {
		frozen := c.afterFreezes(t, fmt.Sprint("frozen", pairs))
		c.signal(syscall.SIGSTOP)
		c.submit(t, fmt.Sprint("calm", pairs))
		c.signal(syscall.SIGCONT)
		calm := backlogShards / c.drained(t).Seconds()
		half = frozen >= calm/2
		t.Logf("%.1f shards/s, others %.1f", frozen, calm)
	}
	if !half {
		t.Error("less than half in each of three pairs")
	}
	if err := c.finish(t); err != nil || !c.res.Sound() || c.res.Rows != (1+2*pairs)*backlogShards*backlogRecords {
		t.Errorf("%v: %d rows, %d lost, %d doubled, %d wrong: %v", err, c.res.Rows, c.res.Lost, c.res.Doubled, c.res.Wrong, c.res.Problems)
	}
}

// The backlog: so many shards of so many records.
const backlogShards, backlogRecords = 800, 60

// afterFreezes has the daemons stopped with a job that came too often, twice for longer than a lease, and takes the rate at which
// they then run it in quarantine.
func (c *cell) afterFreezes(t *testing.T, job string) (perSecond float64) {
	t.Helper()
	sha := c.modelSHA256(t)
	c.signal(syscall.SIGSTOP)
	c.submit(t, job)
	c.handBack(t, job, sha, backlogShards, 6)
	for range 2 {
		c.signal(syscall.SIGCONT)
		err := pause(t.Context(), 200*time.Millisecond)
		c.signal(syscall.SIGSTOP)
		if err = errors.Join(err, pause(t.Context(), ackWait+300*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	before := len(c.quarantined(t))
	c.signal(syscall.SIGCONT)
	took := c.drained(t)
	ran := c.quarantined(t)[before:]
	slices.Sort(ran)
	different := len(slices.Compact(slices.Clone(ran)))
	t.Logf("%d of %d shards were left for quarantine, in %d runs", different, backlogShards, len(ran))
	if different < backlogShards/8 || len(ran) > different*5/4 {
		t.Errorf("%d runs of %d shards", len(ran), different)
	}
	return float64(different) / took.Seconds()
}

// submit publishes a job of the backlog's size.
func (c *cell) submit(t *testing.T, job string) {
	t.Helper()
	for s := range backlogShards {
		for i := range backlogRecords {
			n := i % poolSize
			c.wants[fmt.Sprintf("%s-%d-%d", job, s, i)] = &want{text: c.camp.Refs.Texts[n], vector: c.camp.Refs.Vectors[n], dataset: dataset}
		}
	}
	if err := c.publish(t.Context(), c.job(job, backlogShards, backlogRecords)); err != nil {
		t.Fatal(err)
	}
}

// drained takes the time until all is settled.
func (c *cell) drained(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := c.empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun)
}

// ready waits until all daemons are.
func (c *cell) ready(t *testing.T) {
	t.Helper()
	for _, k := range c.keepers {
		for k.current() == nil || !k.current().isReady() {
			if err := pause(t.Context(), 10*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// signal sends one to all daemons.
func (c *cell) signal(s syscall.Signal) {
	for _, k := range c.keepers {
		k.current().signal(s)
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
