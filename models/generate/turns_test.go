package generate

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"textmill/models/sample"
)

// asks makes a request of a job for a text of so many tokens, its prompt's counted.
func asks(job string, tokens int) *sequence {
	return &sequence{Request: Request{Job: job, Prompt: make([]int32, 1), Params: Params{Params: sample.Params{}, MaxNewTokens: tokens - 1}}}
}

func (t *turns) queue(test *testing.T, n int, job string, tokens int) {
	test.Helper()
	for range n {
		if full, err := t.push(asks(job, tokens)); full != nil || err != nil {
			test.Fatalf("no room for a text of %s, %v", job, err)
		}
	}
}

// entered is who gets so many slots, one after the other; each text leaves once the one behind it has entered.
func (t *turns) entered(n int) (order []string) {
	var last *sequence
	for range n {
		s := t.next()
		t.enter(s)
		if last != nil {
			last.used = last.need()
			t.leave(last)
		}
		last = s
		order = append(order, s.Job)
	}
	return order
}

func newTestTurns(least int) *turns {
	return &turns{least: least, most: 1000, tokens: 1 << 20, jobs: map[jobKey]*job{}, came: make(chan struct{}, 1)}
}

// Jobs get the same number of tokens, however many texts they have and however long these are.
func TestTurnsCountTokens(t *testing.T) {
	turns := newTestTurns(0)
	turns.queue(t, 100, "big", 100)
	turns.queue(t, 1000, "small", 10)
	if got := turns.entered(33); !slices.Equal(got[:11], []string{"small", "small", "small", "small", "small", "small", "small", "small", "small", "big", "small"}) {
		t.Errorf("they enter in the order %q", got)
	}
	given := map[string]int{}
	for _, job := range turns.entered(330) {
		given[job] += map[string]int{"big": 100, "small": 10}[job]
	}
	if more, less := max(given["big"], given["small"]), min(given["big"], given["small"]); more-less > 100 {
		t.Errorf("given are %v tokens", given)
	}
	// Who comes late makes up for nothing.
	turns.queue(t, 100, "late", 10)
	if got := turns.entered(22); slices.Index(got, "big") < 0 || slices.Index(got, "small") < 0 {
		t.Errorf("after a late job came: %q", got)
	}
}

// A text that ended early was given no more than it came to.
func TestTurnsGiveBackWhatDidNotCome(t *testing.T) {
	turns := newTestTurns(0)
	turns.queue(t, 10, "early", 1000)
	turns.queue(t, 10, "long", 100)
	for _, want := range []string{"long", "early", "early"} {
		s := turns.next()
		if s.Job != want {
			t.Fatalf("%s enters, want %s", s.Job, want)
		}
		turns.enter(s)
		if s.used = s.need(); want == "early" {
			s.used = 5
		}
		turns.leave(s)
		if want == "long" { // as much as early's first may come to
			turns.jobs[s.job.jobKey].given += 1000
		}
	}
}

// A job with nothing in a slot is before all others, also before one whose texts were put back.
func TestTurnsBeginWithWhoHasNothing(t *testing.T) {
	turns := newTestTurns(1)
	turns.queue(t, 3, "big", 100)
	first := turns.next()
	turns.enter(first)
	turns.enter(turns.next())
	turns.queue(t, 1, "small", 500)
	turns.putBack(first)
	if s := turns.next(); s.Job != "small" {
		t.Errorf("%s is next", s.Job)
	}
	turns.take(turns.next())
	if s := turns.next(); s != first {
		t.Error("what was put back is not the first of its job")
	}
	later := asks("", 2)
	later.Later = true
	if _, err := turns.push(later); err != nil || turns.next() != first {
		t.Errorf("a later one is before others, %v", err)
	}
}

// A job's queue is bounded, and its being full holds up nobody else.
func TestTurnsBoundWhatWaits(t *testing.T) {
	turns := newTestTurns(1)
	turns.most = 2
	turns.queue(t, 2, "big", 10)
	if full, _ := turns.push(asks("big", 10)); full == nil {
		t.Error("a third request of the job waits")
	}
	turns.queue(t, 1, "small", 10)
	turns.tokens = 3 // of prompts: three wait
	turns.queue(t, 1, "other", 10)
	if full, _ := turns.push(asks("small", 10)); full == nil {
		t.Error("a job that has one waiting goes beyond the tokens of all")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	if err := turns.wait(ctx, asks("big", 10)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	waited := make(chan error)
	go func() { waited <- turns.wait(t.Context(), asks("big", 10)) }()
	turns.tokens = 1 << 20
	for _, s := range []*sequence{turns.jobs[jobKey{name: "big"}].waiting[0]} {
		turns.take(s)
	}
	select {
	case err := <-waited:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("room is not noticed")
	}
	turns.close()
	if err := turns.wait(t.Context(), asks("big", 10)); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}
