package daemon

import (
	"strings"
	"testing"

	"textmill/jobs"
)

// What failed in a job is told by class with an example also by a daemon that was started after it.
func TestErrorClassesSurviveARestart(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish("textmill.jobs.embed."+model, nil, `{"job":"j","shard":0,"shards":1,"dataset":"docs","records":[`+
		`{"id":"fine","text":"bread"},{"id":"number","text":7},{"id":"other","text":8}]}`)
	r.await(jobs.EventCommitted)
	const row, since = `<code>invalid_record</code></th><td class="num">2</td><td class="long">record <code>number</code>: `, "since it began"
	if body := r.get("/jobs/j"); !strings.Contains(body, row) {
		t.Errorf("the daemon that made them:\n%s", body)
	}
	r.drain()
	r = start(t, cfg)
	if body := r.get("/jobs/j"); !strings.Contains(body, row) || strings.Contains(body, since) {
		t.Errorf("one that was started later:\n%s", body)
	}
}
