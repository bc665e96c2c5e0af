package generate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"textmill/models"
	"textmill/models/generate"
)

// longTiny is the tiny Llama with a context of 256 tokens.
func longTiny(t *testing.T) *models.Spec {
	t.Helper()
	return changed(t, "llama", "config.json", func(config []byte) []byte {
		long := strings.Replace(string(config), `"max_position_embeddings": 64`, `"max_position_embeddings": 256`, 1)
		if long == string(config) {
			t.Fatalf("%s names no context of 64", config)
		}
		return []byte(long)
	})
}

// A job's short text enters a slot at once though others' long ones have them all, or all of the memory: it is done before any of
// these ends. Those that make room come to the same bits, and each of their tokens is told of and counted once.
func TestShortTextsOfOthersAreNotHeldUp(t *testing.T) {
	spec := longTiny(t)
	const length = 150
	requests := someRequests(12, rand.New(rand.NewPCG(7, 8)), 64, 12, 1)
	for i := range requests {
		r := &requests[i]
		r.Prompt = append(r.Prompt, make([]int32, 12-len(r.Prompt))...) // five of them leave room for nothing else
		r.Params.MaxNewTokens, r.Params.IgnoreEOS = length, true
	}
	want := all(t, open(t, spec, generate.Options{Slots: 4}), requests)
	for name, o := range map[string]generate.Options{"slots": {Slots: 4}, "memory": {Slots: 8, Memory: (8*64 + 5*(length+12)) * spec.Decoder.KVBytes()}} {
		t.Run(name, func(t *testing.T) {
			rows, fresh, most := 0, 0, 0
			o.Observe = func(s generate.RunStats) {
				most = max(most, s.Rows)
				if fresh += s.New; s.New > 0 || s.Rows > 1 { // no prompt
					rows += s.Rows
				}
			}
			order, results := crowded(t, open(t, spec, o), requests)
			if first := slices.Index(order, "long"); first != 4 {
				t.Errorf("%d of 4 short texts were done before the first long one: %q", first, order)
			}
			for i, got := range results {
				if !sameText(got, want[i]) {
					t.Errorf("text %d became\n%v %v, %v, was\n%v %v", i, got.IDs, got.Logprobs, got.Err, want[i].IDs, want[i].Logprobs)
				}
			}
			if made := len(requests)*(length-1) + 4*3; fresh != made || rows <= made || most >= 8 {
				t.Errorf("%d tokens counted, want %d; %d rows ran, up to %d at a time: did nobody make room?", fresh, made, rows, most)
			}
		})
	}
}

// crowded runs requests as those of two jobs, and four short ones of other jobs that come while the first run. It tells in which
// order they were done.
func crowded(t *testing.T, g *generate.Generator, requests []generate.Request) (order []string, results []generate.Result) {
	t.Helper()
	var mu sync.Mutex
	var running sync.WaitGroup
	do := func(name string, r generate.Request, done func(generate.Result)) {
		running.Add(1)
		r.Done = func(got generate.Result) {
			done(got)
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			running.Done()
		}
		if err := g.Do(t.Context(), r); err != nil {
			t.Error(err)
			running.Done()
		}
	}
	steps, asked := 0, 0
	short := func() {
		r := requests[0]
		r.Job, r.Params.MaxNewTokens = fmt.Sprintf("short %d", asked), 4
		do("short", r, func(got generate.Result) {
			if got.Err != nil || len(got.IDs) != 4 {
				t.Errorf("%s: %v, %v", r.Job, got.IDs, got.Err)
			}
		})
	}
	queued := make(chan struct{})
	results = make([]generate.Result, len(requests))
	var adding sync.WaitGroup
	for i, r := range requests {
		told := 0
		r.Job = fmt.Sprintf("long %d", i%2)
		r.Step = func(s generate.Step) {
			if i == 0 && s.Index == 0 {
				<-queued
			}
			if s.Index != told {
				t.Errorf("text %d: step %d after %d", i, s.Index, told-1)
			}
			told++
			mu.Lock()
			steps++
			ask := steps%30 == 0 && asked < 4
			if ask {
				asked++
			}
			mu.Unlock()
			if ask {
				short()
			}
		}
		done := func(got generate.Result) { results[i] = got }
		if i < 8 { // as many as wait for 4 slots
			do("long", r, done)
		} else {
			adding.Go(func() { do("long", r, done) })
		}
	}
	close(queued)
	adding.Wait()
	running.Wait()
	return order, results
}
