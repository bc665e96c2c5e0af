package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/ground/naming"
	"textmill/jobs"
)

// A daemon that is stopped amid texts that it cannot finish in time hands them back, ends with 0, and the next one makes them.
func TestDrainHandsBackTexts(t *testing.T) {
	c := world(t, Spec{Name: "drain", Daemons: 1, Writes: true, Drain: 200 * time.Millisecond})
	events := c.events(t)
	const shards, records = 60, 100
	var all []message
	for s := range shards {
		m := shardMessage{Job: "long", Shard: s, Shards: shards, Dataset: dataset,
			Params: map[string]any{"max_new_tokens": mostNewTokens, "temperature": 0, "store_token_ids": true}}
		for i := range records {
			id, n := fmt.Sprintf("%d-%d", s, i), (s*records+i)%len(c.camp.Texts.Prompts)
			c.wants[id] = &want{text: c.camp.Texts.Prompts[n], output: limit(c.camp.Texts.Outputs[n], mostNewTokens), dataset: dataset}
			m.Records = append(m.Records, encode(record{id, c.camp.Texts.Prompts[n]}))
		}
		all = append(all, message{subject: jobs.Subject{Task: naming.TaskGenerate, Model: Writer, Job: m.Job}.String(), data: encode(m)})
	}
	if err := c.publish(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if e.Type == jobs.EventCommitted {
			break
		}
	}
	c.drain()
	log, err := os.ReadFile(filepath.Join(c.dir, "daemon0.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), `"verdict":"handed_back"`) {
		t.Error("it handed nothing back")
	}
	if err := c.empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if c.camp.deltars, err = newDeltars(c.camp.Python); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.camp.deltars.close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.res.Sound() || c.res.Rows != shards*records {
		t.Errorf("%d rows, %d lost, %d doubled, %d wrong: %v", c.res.Rows, c.res.Lost, c.res.Doubled, c.res.Wrong, c.res.Problems)
	}
}
