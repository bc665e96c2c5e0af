package jobs

import (
	"testing"
	"time"
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
