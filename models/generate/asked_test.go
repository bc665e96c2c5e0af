package generate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"textmill/models/generate"
)

// What somebody waits for enters a slot at once though each is held by another job's only text, one at a time of eight slots; the
// texts that make room come to the same bits. An asker who goes away while waiting is told so at once.
func TestAskedTextsPassTheQueue(t *testing.T) {
	spec := longTiny(t)
	const slots, long = 8, 100
	requests := someRequests(2*slots, rand.New(rand.NewPCG(9, 8)), 64, 12, 1)
	for i := range requests {
		requests[i].Job, requests[i].Params.MaxNewTokens, requests[i].Params.IgnoreEOS = fmt.Sprint("job ", i), long, true
	}
	want := all(t, open(t, spec, generate.Options{Slots: 4}), requests)
	g := open(t, spec, generate.Options{Slots: slots})
	var mu sync.Mutex
	var order []string
	var running sync.WaitGroup
	results := make([]generate.Result, len(requests))
	queued, gone := make(chan struct{}), false
	note := func(what string) {
		mu.Lock()
		order = append(order, what)
		mu.Unlock()
	}
	ask := func(name string, tokens int) {
		running.Add(1)
		r := requests[0]
		r.Job, r.Asked, r.Params.MaxNewTokens = name, true, tokens
		r.Unwanted = func() bool { return name == "gone" && gone }
		r.Step = func(s generate.Step) {
			if s.Index == 0 {
				note(name + " begins")
			}
			if name == "first" && s.Index == 2 {
				gone = true
			}
		}
		r.Done = func(got generate.Result) {
			if errors.Is(got.Err, generate.ErrStopped) != (name == "gone") || name != "gone" && len(got.IDs) != tokens {
				t.Errorf("%s: %d tokens, %v", name, len(got.IDs), got.Err)
			}
			note(name + " ends")
			running.Done()
		}
		if err := g.Do(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	for i, r := range requests {
		running.Add(1)
		r.Step = func(s generate.Step) {
			if i == 0 && s.Index == 0 {
				<-queued
			}
			if i == 0 && s.Index == 20 { // every slot is taken, and others wait
				for _, name := range []string{"first", "second", "gone"} {
					ask(name, 6)
				}
			}
		}
		r.Done = func(got generate.Result) { results[i] = got; note("long"); running.Done() }
		if err := g.Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	close(queued)
	running.Wait()
	if want := []string{"first begins", "gone ends", "first ends", "second begins", "second ends", "long"}; !slices.Equal(order[:6], want) {
		t.Errorf("in the order %q", order)
	}
	for i, got := range results {
		if !sameText(got, want[i]) {
			t.Errorf("text %d became\n%v %v, %v, was\n%v %v", i, got.IDs, got.Logprobs, got.Err, want[i].IDs, want[i].Logprobs)
		}
	}
}
