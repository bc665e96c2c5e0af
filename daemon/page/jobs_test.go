package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestJobsAreFound(t *testing.T) {
	w := &world{}
	for n := range 3 * jobsSeen {
		w.jobs = append(w.jobs, Job{Name: fmt.Sprintf("job-%03d", n), State: states[n%3], Dataset: "docs", Shards: 4, Done: n % 5, Updated: time.Now()})
	}
	b := open(t, Options{Work: w, Jobs: w, Letters: w})
	rows := func(path string) int { return strings.Count(b.get(path).body, `<tr data-key=`) }
	for path, want := range map[string]int{"/jobs": jobsSeen, "/jobs?state=queued": jobsSeen, "/jobs?state=done": 0, "/jobs?q=JOB-01": 10,
		"/jobs?q=job-01&state=running": 3, "/jobs?q=docs": jobsSeen, "/jobs?q=none": 0} {
		if got := rows(path); got != want {
			t.Errorf("%s lists %d, want %d", path, got, want)
		}
	}
	if body := b.get("/jobs?q=none").body; !strings.Contains(body, "No job is like that") {
		t.Error("a search in vain says nothing")
	}
	w.jobs = nil
	if body := b.get("/jobs").body; !strings.Contains(body, "textmill submit") {
		t.Error("where there are no jobs, nothing says how one comes")
	}
}

// What people do is done once, and leads to where it is seen.
func TestActions(t *testing.T) {
	w := &world{jobs: []Job{{Name: "a b", State: "running"}, {Name: "over", State: "done"}, {Name: "default", State: "open", Shared: true}},
		letters: []Letter{{ID: "abc", Job: "a b", Class: "invalid_job"}, {ID: "def", Job: "a b", Conflict: true}}}
	b := open(t, Options{Work: w, Jobs: w, Letters: w})
	csrf := b.get("/jobs").csrf()
	for _, tc := range []struct {
		path, form, done, next string
		status                 int
	}{
		{"/jobs/a%20b/cancel", "", "cancel a b", "/jobs/a%20b", 303},
		{"/dead/abc", "", `settle abc false ""`, "/jobs/a%20b", 303},
		{"/dead/def", "how=drop", `settle def true ""`, "/dead", 303},
		{"/dead/def", "how=rename&job=again%20", `settle def false "again"`, "/jobs/again", 303},
		{"/dead/def", "how=rename&job=", "", "", 400},
		{"/dead/none", "", "", "", 404},
	} {
		form, err := url.ParseQuery(tc.form)
		if err != nil {
			t.Fatal(err)
		}
		w.done = nil
		got := b.post(tc.path, csrf, form)
		if done := strings.Join(w.done, ", "); got.status != tc.status || done != tc.done || got.header.Get("Location") != tc.next {
			t.Errorf("%s %s: %d, %s, on to %q", tc.path, tc.form, got.status, done, got.header.Get("Location"))
		}
	}
	w.refuses = &Failure{http.StatusConflict, "The job is done already."}
	if got := b.post("/jobs/over/cancel", csrf, nil); got.status != 409 || !strings.Contains(got.body, "done already") {
		t.Errorf("what cannot be done: %d", got.status)
	}
	for path, want := range map[string]bool{"/jobs/a%20b": true, "/jobs/over": false, "/jobs/default": false} {
		if has := strings.Contains(b.get(path).body, "/cancel"); has != want {
			t.Errorf("%s offers to cancel: %v", path, has)
		}
	}
}

func TestPayloadsAreShort(t *testing.T) {
	for name, tc := range map[string]struct {
		payload string
		want    string
		isHex   bool
		more    int
	}{
		"a text":                  {"{not json", "{not json", false, 0},
		"nothing":                 {"", "", false, 0},
		"a long text":             {strings.Repeat("x", payloadSeen+5), strings.Repeat("x", payloadSeen), false, 5},
		"cut within a character":  {strings.Repeat("x", payloadSeen-1) + "é!", strings.Repeat("x", payloadSeen-1), false, 3},
		"what is no text":         {"\xff\x00", "00000000  ff 00                                             |..|", true, 0},
		"much of what is no text": {"\xff" + strings.Repeat("x", payloadSeen), "", true, payloadSeen + 1 - payloadSeen/16},
	} {
		text, isHex, more := excerpt([]byte(tc.payload))
		if isHex != tc.isHex || more != tc.more || tc.want != "" && text != tc.want {
			t.Errorf("%s: %d bytes, hex %v, %d more", name, len(text), isHex, more)
		}
	}
}
