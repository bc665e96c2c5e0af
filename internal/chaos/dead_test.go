package chaos

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/jobs"
)

// A record that crashes native code is a dead letter, once. Put back it is a dead letter again while the cause is there, and a
// row when it is gone; its neighbours are rows once all the while.
func TestCrashingRecordIsPutBack(t *testing.T) {
	c := world(t, Spec{Name: "retry", Daemons: 1, Poison: true})
	const records, deadly = 6, 4
	m := shardMessage{Job: "j", Shard: 0, Shards: 1, Dataset: dataset}
	for i := range records {
		text := c.camp.Refs.Texts[i]
		if i == deadly {
			text += fmt.Sprintf(" t%d", poisonous)
		}
		m.Records = append(m.Records, encode(record{fmt.Sprintf("r%d", i), text}))
	}
	subject := jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: m.Job}.String()
	if err := c.publish(t.Context(), []message{{subject: subject, data: encode(m)}}); err != nil {
		t.Fatal(err)
	}
	settles := func(rows, letters, retry int) {
		t.Helper()
		if err := c.empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := c.rows(t, "j"); n != rows {
			t.Errorf("%d rows, want %d", n, rows)
		}
		lines := strings.FieldsFunc(c.textmill(t, "dead", "list", "--json"), func(r rune) bool { return r == '\n' })
		if len(lines) != letters {
			t.Errorf("dead letters %q, want %d", lines, letters)
		}
		for _, line := range lines {
			var l struct {
				ID, Class string
				Retry     int
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.Class != "crash" || l.Retry != retry {
				t.Errorf("dead letter %s, want one of class crash and retry %d", line, retry)
			}
			if shown := c.textmill(t, "dead", "show", "--json", l.ID); !strings.Contains(shown, fmt.Sprintf(`\"r%d\"`, deadly)) {
				t.Errorf("its payload is not the record's: %s", shown)
			}
		}
	}
	settles(records-1, 1, 0)
	c.textmill(t, "dead", "retry", "--all")
	settles(records-1, 1, 1)

	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.Poison = false // the cause is gone
	c.startDaemons()
	c.textmill(t, "dead", "retry", "--all")
	settles(records, 0, 0)
	if err := c.publish(t.Context(), []message{{subject: subject, data: encode(m)}}); err != nil { // its publisher repeats itself
		t.Fatal(err)
	}
	settles(records, 0, 0)
}
