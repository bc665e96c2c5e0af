package daemon

import (
	"bufio"
	"net/http"
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
	r.awaitSeen("/jobs/j", "invalid_record") // which is read beside the page
	if body := r.get("/jobs/j"); !strings.Contains(body, row) || strings.Contains(body, since) {
		t.Errorf("one that was started later:\n%s", body)
	}
}

// awaitSeen looks at a page until it shows a text.
func (r *running) awaitSeen(path, text string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.daemon.web.Addr()+"/events"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer got.Body.Close()
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	r.t.Fatalf("%s never shows %q", path, text)
}
