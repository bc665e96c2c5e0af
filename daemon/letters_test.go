package daemon

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// What would become a dead letter waits while their stream is full, and everybody is told; other work goes on, and once there is room
// each letter says why its message died.
func TestAFullStreamOfDeadLettersHoldsUpNobody(t *testing.T) {
	cfg := testConfig(t)
	serve(t, &cfg, embedded.Options{})
	before := connect(t, cfg, queue.StreamOptions{DeadMaxBytes: 16 << 10})
	r := start(t, cfg)
	filler := strings.Repeat("x", 4<<10)
	r.publish(embedSubject, nil, `{"job":"first","shard":0,"records":"`+strings.Repeat(filler, 3)+`"}`)
	if e := r.await(jobs.EventDead); e.Job != "first" {
		t.Fatalf("%+v", e)
	}
	r.publish(embedSubject, nil, `{"job":"decoded","shard":0,"records":"`+filler+`"}`)
	r.publish(embedSubject, nil, fmt.Sprintf(`{"job":"judged","shard":0,"dataset":"docs","input":{"uri":"file:///nowhere/%s","format":"text","offset":0,"length":10,"size":10,"mtime":"2026-01-02T03:04:05Z"}}`, filler))
	r.publish(embedSubject, nil, `{"job":"fine","shard":0,"dataset":"docs","records":[{"id":"a","text":"some words"}]}`)
	if e := r.await(jobs.EventCommitted); e.Job != "fine" {
		t.Errorf("%+v", e)
	}
	r.awaitLogged("delivery not settled, it will come again", "decoded", "judged")
	if got, err := strconv.Atoi(r.metric(`textmill_deliveries_total{verdict="handed_back"}`)); err != nil || got < 2 {
		t.Errorf("%d deliveries are handed back", got)
	}
	if got := r.metric("textmill_dead_letters_full"); got != "1" {
		t.Errorf("/metrics says %s", got)
	}
	if got := r.metric(`textmill_dead_letters_total{class="invalid_job"}`); got != "1" {
		t.Errorf("%s letters are counted, 1 is there", got)
	}
	for page, want := range map[string]string{"/status": `"dead_letters_full":"`, "/readyz": "dead letters: "} {
		if said := r.get(page); !strings.Contains(said, want) || !strings.Contains(said, "nats stream edit TEXTMILL_DEAD --max-bytes") {
			t.Errorf("%s says %s", page, said)
		}
	}
	ids := r.letters(1)
	if _, err := before.queue.DropDead(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.awaitAll(jobs.EventDead, jobs.EventDead) {
		if e.Job == "first" || e.Class == classJudged {
			t.Errorf("%+v", e)
		}
	}
	r.drain()
	if said := r.log.String(); strings.Count(said, "the stream of dead letters is full") > 2 || strings.Contains(said, "delivery not settled") || !strings.Contains(said, "dead letters are taken again") {
		t.Error("the log does not tell of it, or too often")
	}
}
