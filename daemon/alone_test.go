package daemon

import (
	"testing"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// The dead letter of one record is a job message that can be tried again, beside that of another record of its shard.
func TestLetterOfARecordIsAJobMessage(t *testing.T) {
	payload := []byte(`{"job":"j","shard":"s","dataset":"d","params":{"normalize":false},` +
		`"records":[{"id":"a","text":"x"},{"text":"<no id> \u0000","attributes":{"k":"v"}}]}`)
	d := &queue.Delivery{Subject: "textmill.jobs.embed.m.j", Data: payload, Delivered: 9}
	f, shard, err := inflight.Decode(d, jobs.Limits{RecordsPerShard: 10, RecordBytes: 1000}, "")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{f.Key.AppID: true}
	for i, want := range shard.Records {
		l := letterOfRecord(f, shard, i, want)
		again := jobs.Message{Subject: d.Subject, Data: l.Payload, Header: jobs.Header{jobs.HeaderRetry: []string{"1"}}}
		one, err := jobs.Decode(again, jobs.Limits{RecordsPerShard: 10, RecordBytes: 1000})
		if err != nil {
			t.Fatalf("%v in %s", err, l.Payload)
		}
		if len(one.Records) != 1 || one.Dataset != "d" || one.Embed.Normalize == nil || *one.Embed.Normalize {
			t.Errorf("record %d: %s", i, l.Payload)
		}
		if got := one.Records[0]; got.ID != want.ID || got.Text != want.Text || got.Attributes["k"] != want.Attributes["k"] {
			t.Errorf("record %d became %+v, want %+v", i, got, want)
		}
		for _, key := range []string{l.Key, export.JobKey(one.Task, one.Model, one.Job, one.KeyID, l.Payload).AppID} {
			if keys[key] {
				t.Errorf("record %d: key %s is another's", i, key)
			}
			keys[key] = true
		}
	}
}
