package jobs

import (
	"strings"
	"testing"
	"time"

	"textmill/ground/naming"
)

func TestEventIsReadBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for want, e := range map[string]Event{
		`{"type":"committed","job":"j","shard":"0","rows":5,"errors":1,"table":"/t/d","version":0,"time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventCommitted, Job: "j", Shard: "0", Rows: 5, Errors: 1, Table: "/t/d", Time: at},
		`{"type":"submitted","job":"j","shards":4,"rows":0,"errors":0,"time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventSubmitted, Job: "j", Shards: 4, Time: at},
		`{"type":"committed","job":"j","shard":"1","rows":5,"errors":0,"truncated":0,"n_dropped":0,"payload_sha256":"ab","table":"/t/d","version":3,"time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventCommitted, Job: "j", Shard: "1", Rows: 5, PayloadSHA256: "ab", Table: "/t/d", Version: 3, Time: at},
		`{"type":"committed","job":"j","shard":"1","rows":5,"errors":0,"payload_sha256":"ab","table":"/t/d","version":3,"time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventCommitted, Job: "j", Shard: "1", Rows: 5, PayloadSHA256: "ab", Uncounted: true, Table: "/t/d", Version: 3, Time: at},
		`{"type":"dropped","job":"j","rows":0,"errors":0,"messages":7,"time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventDropped, Job: "j", Messages: 7, Time: at},
		`{"type":"dead","job":"j","shard":"2","rows":0,"errors":0,"payload_sha256":"ab","class":"schema","reason":"why","task":"embed","model":"m","dataset":"d","time":"2026-01-02T03:04:05.000006Z"}`: {
			Type: EventDead, Job: "j", Shard: "2", PayloadSHA256: "ab", Class: "schema", Reason: "why", Task: "embed", Model: "m", Dataset: "d", Time: at},
	} {
		got := string(e.AppendJSON(nil))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		back, err := ParseEvent([]byte(got))
		if e.Table == "" {
			e.Version = back.Version
		}
		if err != nil || back != e {
			t.Errorf("%s comes back as %+v, %v", got, back, err)
		}
	}
}

func TestEventOfLaterVersionsIsRead(t *testing.T) {
	e, err := ParseEvent([]byte(`{"type":"paused","job":"j","shard":3,"by":{"user":"x"},"rows":null}`))
	if err != nil || e.Type != "paused" || e.Shard != "3" {
		t.Errorf("got %+v, %v", e, err)
	}
	for _, bad := range []string{``, `[]`, `{"type":"done"}`, `{"job":"j"}`, `{"type":"done","job":"a.b"}`, `{"type":"done","job":"j","rows":"5"}`, `{"type":"done","job":"j","time":"now"}`} {
		if e, err := ParseEvent([]byte(bad)); err == nil {
			t.Errorf("%s gives %+v", bad, e)
		}
	}
}

// Daemons keep what events say, and on an open server anybody may publish one.
func TestEventsThatAreTooLongAreNone(t *testing.T) {
	e := Event{Type: EventDead, Job: "j", Shard: strings.Repeat("s", 128) + "/r1073741824", Task: naming.TaskEmbed, Model: strings.Repeat("m", 128),
		Dataset: strings.Repeat("d", 64), Class: IdentityConflict, Reason: strings.Repeat("\x01", 1<<10), Table: "/" + strings.Repeat("ä", 2047)}
	if got, err := ParseEvent(e.AppendJSON(nil)); err != nil || got.Shard != e.Shard || got.Reason != e.Reason {
		t.Errorf("the longest is refused: %v", err)
	}
	long := strings.Repeat("x", 300)
	for want, raw := range map[string]string{
		"event has":   `{"type":"dead","job":"j","unknown":"` + strings.Repeat("x", 64<<10) + `"}`,
		"shard has":   `{"type":"dead","job":"j","shard":"` + long + `"}`,
		"model has":   `{"type":"dead","job":"j","model":"` + long + `"}`,
		"task has":    `{"type":"dead","job":"j","task":"` + long + `"}`,
		"dataset has": `{"type":"dead","job":"j","dataset":"` + long + `"}`,
		"class has":   `{"type":"dead","job":"j","class":"` + long + `"}`,
		"sha256 has":  `{"type":"dead","job":"j","payload_sha256":"` + long + `"}`,
	} {
		if _, err := ParseEvent([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%s: %v", want, err)
		}
	}
}
