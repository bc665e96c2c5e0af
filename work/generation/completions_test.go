package generation

import (
	"context"
	"testing"

	"textmill/export"
	"textmill/jobs"
	"textmill/models/generate"
	"textmill/work/rows"
)

// noting is a generator that makes nothing of what it is asked.
type noting struct {
	idle
	requests []generate.Request
}

func (n *noting) Do(_ context.Context, r generate.Request) error {
	n.requests = append(n.requests, r)
	r.Done(generate.Result{Finish: "stop"})
	return nil
}

// Turns go by job (models/generate), so each text is asked for in the name of its job, and its seed is its own.
func TestEachTextIsAskedForInItsJobsName(t *testing.T) {
	e, _ := limited(t, nil)
	g := &noting{}
	e.o.Generator = g
	shard, err := jobs.Decode(jobs.Message{Subject: "textmill.jobs.generate.m", Header: jobs.Header{},
		Data: []byte(`{"job":"stories","shard":0,"params":{"n":3,"seed":7,"temperature":1},"records":[{"id":"a","text":"x"}]}`)}, jobs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []export.Row
	if err := e.Work(shard, rows.Origin{Job: shard.Job}).Do(t.Context(), shard.Records[0], func(r []export.Row) { got = r }); err != nil {
		t.Fatal(err)
	}
	if len(g.requests) != 3 || len(got) != 3 {
		t.Fatalf("%d texts were asked for, %d rows came", len(g.requests), len(got))
	}
	for i, r := range g.requests {
		if r.Job != "stories" || r.Params.Seed != uint64(7+i) || got[i].Job != "stories" {
			t.Errorf("text %d: job %q, seed %d, row of %q", i, r.Job, r.Params.Seed, got[i].Job)
		}
	}
}
