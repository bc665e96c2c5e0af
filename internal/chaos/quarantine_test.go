package chaos

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"textmill/ground/naming"
	"textmill/jobs"
)

// suspects is a world whose daemons find deliveries that each came too often: all must be quarantined. One record of them may
// crash native code. The job is s; the daemons go on when the world is returned.
func suspects(t *testing.T, spec Spec, shards, records int) *cell {
	t.Helper()
	c := world(t, spec)
	c.ready(t)
	sha := c.modelSHA256(t)
	c.signal(syscall.SIGSTOP)
	var all []message
	for s := range shards {
		m := shardMessage{Job: "s", Shard: s, Shards: shards, Dataset: dataset}
		for i := range records {
			fate := row
			if spec.Poison && s == shards/2 && i == records/3 {
				fate = crasher
			}
			m.Records = append(m.Records, c.record(fmt.Sprintf("s-%d-%d", s, i), dataset, fate))
		}
		all = append(all, message{subject: jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: "s"}.String(), data: encode(m)})
	}
	if err := c.publish(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	c.handBack(t, "s", sha, shards, 6)
	c.signal(syscall.SIGCONT)
	return c
}

// struckBy is how often a crash point or trap struck so far.
func (c *cell) struckBy(kind string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.res.count(kind).Count
}

// A record that crashes native code is one of many suspects. It alone becomes a dead letter, whoever was in a group with it is
// in the table once, and it kills no more processes than it takes to divide its groups and then its delivery.
func TestPoisonAmongManySuspects(t *testing.T) {
	const shards, records = 64, 8
	for daemons := 1; daemons <= 2; daemons++ {
		t.Run(fmt.Sprint(daemons), func(t *testing.T) {
			c := suspects(t, Spec{Name: "suspects", Daemons: daemons, Poison: true}, shards, records)
			if err := c.empty(t.Context()); err != nil {
				t.Fatal(err)
			}
			if letters := strings.Count(c.textmill(t, "dead", "list", "--json"), "\n"); letters != 1 {
				t.Errorf("%d dead letters, want 1", letters)
			}
			if err := c.finish(t); err != nil || !c.res.Sound() || c.res.Rows != shards*records-1 {
				t.Errorf("%v: %d rows, %d lost, %d doubled, %d wrong: %v", err, c.res.Rows, c.res.Lost, c.res.Doubled, c.res.Wrong, c.res.Problems)
			}
			// Groups of 64, 16 and 4; its delivery of 8 records, 4 and 2; the record twice.
			deaths := c.struckBy("native code crashes")
			t.Logf("%d deaths", deaths)
			if deaths < 3 || deaths > 3+3+2 {
				t.Errorf("it killed %d processes", deaths)
			}
		})
	}
}

// Each process dies as soon as it has marked its second group at the latest. All the same each record is in the table once, and
// none is taken for poison.
func TestKilledAmidQuarantine(t *testing.T) {
	const shards, records = 20, 8
	c := suspects(t, Spec{Name: "amid", Daemons: 2, Armed: true, Points: []point{{"quarantined", 2}}, NoDead: true}, shards, records)
	if err := c.empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	deaths := c.struckBy("crash point: quarantined")
	t.Logf("%d deaths", deaths)
	if deaths < 2 {
		t.Errorf("%d processes died in quarantine", deaths)
	}
	if err := c.finish(t); err != nil || !c.res.Sound() || c.res.Rows != shards*records {
		t.Errorf("%v: %d rows, %d lost, %d doubled, %d wrong: %v", err, c.res.Rows, c.res.Lost, c.res.Doubled, c.res.Wrong, c.res.Problems)
	}
}
