package daemon

import (
	"errors"
	"net/http"
	"testing"

	"textmill/daemon/page"
	"textmill/jobs"
)

// What pages see is what the queue, the log and the metrics of a daemon at work say; what is done on them is done.
func TestPagesSeeWhatIsDone(t *testing.T) {
	r := start(t, testConfig(t))
	s, ctx := &sight{d: r.daemon}, t.Context()
	r.publish("textmill.jobs.embed."+model+".seen", nil,
		`{"job":"seen","shard":0,"shards":1,"dataset":"docs","records":[{"id":"a","text":"x"},{"id":"b","text":7}]}`)
	r.await(jobs.EventDone)
	j, err := s.Job(ctx, "seen")
	if err != nil || j.State != "done" || j.Rows != 2 || j.Errors != 1 || j.Progress() != 1 || len(j.Classes) != 1 ||
		j.Classes[0].Name != "invalid_record" || j.Classes[0].Record != "b" || j.Classes[0].Reason == "" {
		t.Errorf("%+v, %v", j, err)
	}
	if all, err := s.Jobs(ctx); err != nil || len(all) != 1 || all[0].Name != "seen" {
		t.Errorf("%+v, %v", all, err)
	}
	now := s.Now()
	if len(now.Commits) != 1 || now.Commits[0].Dataset != "docs" || now.Commits[0].Rows != 2 || len(now.Devices) != 1 || now.Devices[0].Used == 0 ||
		now.Devices[0].Memory < now.Devices[0].Used || now.Devices[0].Cores == 0 {
		t.Errorf("%+v", now)
	}
	if sums := r.daemon.metrics.Sums(); sums.Rows != 2 || sums.Errors != 1 || sums.Tokens == 0 || sums.Texts != 1 || sums.Models[model].Busy == 0 {
		t.Errorf("%+v", sums)
	}

	r.publish("textmill.jobs.embed."+model+".broken", nil, "{not json")
	r.await(jobs.EventDead)
	letters, all, err := s.Letters(ctx)
	if err != nil || all != 1 || len(letters) != 1 || letters[0].Job != "broken" || letters[0].Class != jobs.InvalidJob {
		t.Fatalf("%+v of %d, %v", letters, all, err)
	}
	if l, payload, err := s.Letter(ctx, letters[0].ID); err != nil || string(payload) != "{not json" || l != letters[0] {
		t.Errorf("%+v, %q, %v", l, payload, err)
	}
	if err := s.Settle(ctx, letters[0].ID, page.Settlement{}); err != nil {
		t.Fatal(err)
	}
	r.await(jobs.EventDead) // it is no better
	s.letters.forget()
	if again, _, err := s.Letters(ctx); err != nil || len(again) != 1 || again[0].Retry != 1 || again[0].ID == letters[0].ID {
		t.Errorf("after a retry: %+v, %v", again, err)
	}
	if len(s.Now().Troubles) == 0 {
		t.Error("a dead letter is no trouble")
	}
	for what, failed := range map[string]struct {
		err  error
		want int
	}{
		"a job that is done":     {s.Cancel(ctx, "seen"), http.StatusConflict},
		"everybody's job":        {s.Cancel(ctx, jobs.DefaultJob), http.StatusConflict},
		"no job":                 {s.Cancel(ctx, "none"), http.StatusNotFound},
		"a letter that is gone":  {s.Settle(ctx, letters[0].ID, page.Settlement{}), http.StatusNotFound},
		"what is no letter's id": {s.Settle(ctx, "../x", page.Settlement{}), http.StatusNotFound},
	} {
		f, ok := errors.AsType[*page.Failure](failed.err)
		if !ok || f.Status != failed.want {
			t.Errorf("%s: %v, want %d", what, failed.err, failed.want)
		}
	}
}
