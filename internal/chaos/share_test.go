package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// calm is a world in which nothing breaks.
func calm(t *testing.T) *cell {
	t.Helper()
	return world(t, Spec{Name: "calm", Daemons: 1})
}

// world is one whose messages and faults are the test's.
func world(t *testing.T, s Spec) *cell {
	t.Helper()
	c := *built
	c.Dir = t.TempDir()
	c.Specs = []Spec{s}
	w := c.cell(0)
	t.Cleanup(w.close)
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// job is the messages of a job of some size.
func (c *cell) job(name string, shards, records int) []message {
	var all []message
	for s := range shards {
		m := shardMessage{Job: name, Shard: s, Shards: shards, Dataset: dataset}
		for i := range records {
			m.Records = append(m.Records, encode(record{fmt.Sprintf("%s-%d-%d", name, s, i), c.camp.Refs.Texts[i%poolSize]}))
		}
		all = append(all, message{subject: jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: name}.String(), data: encode(m)})
	}
	return all
}

// events follows what is told of jobs, oldest first.
func (c *cell) events(t *testing.T) <-chan jobs.Event {
	t.Helper()
	q, err := queue.Connect(t.Context(), queue.Options{URL: c.clean.url()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	events := make(chan jobs.Event, 10_000)
	tracker, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(e jobs.Event) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	return events
}

// A small job that comes while a big one runs is done long before it.
func TestSmallJobIsNotHeldUpByABigOne(t *testing.T) {
	c := calm(t)
	events := c.events(t)
	const shards = 150
	if err := c.publish(t.Context(), append(c.job("big", shards, 500), c.job("small", 1, 10)...)); err != nil {
		t.Fatal(err)
	}
	before := 0
	for deadline := time.After(3 * time.Minute); ; {
		select {
		case e := <-events:
			switch {
			case e.Type != jobs.EventCommitted:
			case e.Job == "big":
				before++
			default:
				if before > shards*3/4 {
					t.Errorf("the small job was done after %d of the %d shards of the big one", before, shards)
				}
				t.Logf("done after %d of %d shards", before, shards)
				return
			}
		case <-deadline:
			t.Fatalf("the small job is not done within a minute; %d shards of the big one are", before)
		}
	}
}

// A cancelled job's records stop within seconds, and none appears later.
func TestCancelledJobStops(t *testing.T) {
	c := calm(t)
	events := c.events(t)
	const shards, records = 400, 500
	if err := c.publish(t.Context(), c.job("big", shards, records)); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if e.Type == jobs.EventCommitted {
			break
		}
	}
	begun := time.Now()
	c.textmill(t, "cancel", "big")
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("cancelling took %v", took)
	}
	there := c.rows(t, "big")
	if there == shards*records {
		t.Fatal("the job was done before it was cancelled; it is too small for this test")
	}
	// What was cancelled may be published again, and another job passes.
	if err := c.publish(t.Context(), append(c.job("big", shards, records)[:5], c.job("after", 1, 10)...)); err != nil {
		t.Fatal(err)
	}
	if err := c.empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := c.rows(t, "big"); now != there {
		t.Errorf("%d rows of the cancelled job appeared after it was cancelled", now-there)
	}
	if n := c.rows(t, "after"); n != 10 {
		t.Errorf("the job after it has %d rows, want 10", n)
	}
}

// textmill runs a command as a user of the cell's server.
func (c *cell) textmill(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.camp.Binary, args...)
	cmd.Env = append(os.Environ(), "TEXTMILL_HOME="+c.camp.Home, "TEXTMILL_NATS_URL="+c.clean.url())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("textmill %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// rows counts a job's.
func (c *cell) rows(t *testing.T, job string) (n int) {
	t.Helper()
	err := export.Scan(context.WithoutCancel(t.Context()), filepath.Join(c.tables(), dataset), func(all []export.Row) error {
		for i := range all {
			if all[i].Job == job {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFramesAreWhole holds the proxy to the protocol: what it calls a message is one, with its payload.
func TestFramesAreWhole(t *testing.T) {
	const text = "PING\r\nPUB a.b 5\r\nhe\r\no\r\nHMSG s 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPONG\r\n"
	in := bufio.NewReader(strings.NewReader(text))
	var got []string
	for {
		f, _, err := readFrame(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(f))
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := `["PING\r\n","PUB a.b 5\r\nhe\r\no\r\n","HMSG s 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n","PONG\r\n"]`; string(data) != want {
		t.Errorf("frames %s, want %s", data, want)
	}
}
