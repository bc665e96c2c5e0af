package daemon

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"textmill/jobs"
	"textmill/jobs/queue"
)

func TestSuspectsAreApartInAnOrderOfTheirOwn(t *testing.T) {
	var all []*queue.Delivery
	for i := range 200 {
		all = append(all, &queue.Delivery{Sequence: uint64(i), Delivered: 1 + i%2*suspectAfter})
	}
	rest, one := partSuspects(all)
	_, two := partSuspects(all)
	same := 0
	for i := range min(len(rest), len(one), len(two)) {
		if d := rest[i]; d.Delivered > 1 || d.Sequence != uint64(2*i) {
			t.Errorf("delivery %d comes at %d", d.Sequence, i)
		}
		if one[i].Delivered == 1 {
			t.Errorf("delivery %d is no suspect", one[i].Sequence)
		}
		if one[i] == two[i] {
			same++
		}
	}
	if len(rest) != 100 || len(one) != 100 || same > 50 {
		t.Errorf("%d deliveries and %d suspects; two daemons have %d of these at the same place", len(rest), len(one), same)
	}
}

// Groups are as large as each of their members may be in, and as their input may be.
func TestGroupsOfSuspects(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []int
		bytes  int // of each
		want   int
	}{
		{"none", nil, 1, 0},
		{"one", []int{1}, 1, 1},
		{"alone", []int{1, 1, 1}, 1, 1},
		{"all that may", []int{64, 64, 64}, 1, 3},
		{"a quarter of before", []int{4, 4, 4, 4, 4, 4}, 1, 4},
		{"those before who may be in fewer", []int{64, 64, 64, 3}, 1, 3},
		{"with those who may be in fewer", []int{64, 64, 3, 1}, 1, 3},
		{"much input", []int{64, 64, 64}, quarantineBytes / 2, 2},
		{"too much input", []int{64, 64, 64}, 2 * quarantineBytes, 1},
	} {
		var free []suspect
		for _, share := range c.shares {
			free = append(free, suspect{shard: &jobs.Shard{}, bytes: c.bytes, share: share})
		}
		if got := groupOf(free); got != c.want {
			t.Errorf("%s: %d run together, want %d", c.name, got, c.want)
		}
	}
	many := make([]suspect, 2*quarantineMost)
	for i := range many {
		many[i] = suspect{shard: &jobs.Shard{Input: &jobs.Input{Length: 10, Size: quarantineBytes}}, share: quarantineMost}
	}
	if got := groupOf(many); got != quarantineMost {
		t.Errorf("%d of many run together, want %d", got, quarantineMost)
	}
}

// What came too often runs together, embedded or continued, each record once, and leaves no mark. A duplicate waits as any other.
func TestSuspectsRunTogether(t *testing.T) {
	const shards = 20
	for task, params := range map[string]string{"embed": `{}`, "generate": `{"max_new_tokens":4}`} {
		t.Run(task, func(t *testing.T) {
			cfg := testConfig(t)
			name := model
			if task == "generate" {
				cfg.Models, name = tinyWriter(t, 4), "tiny"
			}
			subject := "textmill.jobs." + task + "." + name + ".often"
			r := startChanged(t, cfg, func(d *Daemon) {
				for s := range shards {
					message := fmt.Sprintf(`{"job":"often","shard":%d,"dataset":"often","params":%s,"records":[{"id":"%d-a","text":"a"},{"id":"%d-b","text":"b"}]}`, s, params, s, s)
					for range 1 + s/(shards-1) { // the last one twice
						if err := d.queue.PublishJob(t.Context(), queue.JobMessage{Subject: subject, Data: []byte(message)}); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := d.queue.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				comesOften(t, d, subject, shards+1)
			})
			var all []string
			for range shards { // the duplicate's event is the same one
				all = append(all, jobs.EventCommitted)
			}
			r.awaitAll(all...)
			r.drain()
			if rows := readTable(t, cfg, "often"); len(rows) != 2*shards {
				t.Errorf("%d rows, want %d", len(rows), 2*shards)
			}
			if said := r.log.String(); strings.Count(said, "run in quarantine") != 1 || !strings.Contains(said, fmt.Sprintf("deliveries=%d share=%d", shards, quarantineMost)) {
				t.Errorf("no group of %d", shards)
			}
			marks, err := filepath.Glob(filepath.Join(cfg.Export.URI, "often", "_textmill", "*.json"))
			if err != nil || len(marks) != 0 {
				t.Errorf("%q are left, %v", marks, err)
			}
		})
	}
}

// comesOften takes all messages of a subject as often as makes them suspects, before the daemon runs.
func comesOften(t *testing.T, d *Daemon, subject string, messages int) {
	t.Helper()
	consumer, err := d.queue.Consumer(t.Context(), subject, d.consumers[0].spec.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for range suspectAfter {
		var all []*queue.Delivery
		for len(all) < messages {
			got, err := consumer.Fetch(t.Context(), messages, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got...)
		}
		for _, d := range all {
			if err := d.Nak(0); err != nil {
				t.Fatal(err)
			}
		}
	}
}
