package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/session"
)

// A faulty runner is a real one whose runs fail when fail says so.
type faulty struct {
	runner
	slots int
	fail  func(what string, slots int) error
}

func (f *faulty) prefill(ctx context.Context, slot, used int, ids []int32, candidates bool) (scored, error) {
	if err := f.fail("prefill", f.slots); err != nil {
		return scored{}, err
	}
	return f.runner.prefill(ctx, slot, used, ids, candidates)
}

func (f *faulty) decode(ctx context.Context, first int, rows []row) ([]scored, error) {
	if err := f.fail("decode", f.slots); err != nil {
		return nil, err
	}
	return f.runner.decode(ctx, first, rows)
}

func (f *faulty) reserve(slots, length int) error {
	f.slots = slots
	if err := f.fail("reserve", slots); err != nil {
		return errors.Join(err, f.runner.(*bound).free())
	}
	return f.runner.reserve(slots, length)
}

// eightSlots is a generator that has not started, over a tiny model.
func eightSlots(t *testing.T, bound bool, log io.Writer) *Generator {
	t.Helper()
	spec := Imported(t, Testdata+"/tiny/llama", checkpoint.FP32)
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Session: FreshSession(t), Tokenizer: tok, Slots: 8, bound: bound}
	o.Session.Log = slog.New(slog.NewTextHandler(log, nil))
	g, err := load(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// throughFaults makes greedy texts of several lengths on 8 slots of a device whose runs fail as fail says.
func throughFaults(t *testing.T, fail func(what string, slots int) error) (results []Result, slots int, log string) {
	t.Helper()
	var lines bytes.Buffer
	g := eightSlots(t, true, &lines)
	g.run = &faulty{g.run, 8, fail}
	g.start()
	results = make([]Result, 20)
	var wg sync.WaitGroup
	for i := range results {
		wg.Add(1)
		r := Request{Prompt: []int32{int32(5 + i), 7, int32(9 + i)}, Params: Params{MaxNewTokens: 5 + i, IgnoreEOS: true},
			Done: func(r Result) { results[i] = r; wg.Done() }}
		if err := g.Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	return results, len(g.slots), lines.String()
}

// When a card's memory gives out, decodes are narrower for good, which the log says, and every text is made all the same.
func TestOutOfMemoryShrinksForGood(t *testing.T) {
	none := fmt.Errorf("%w: Failed to allocate", session.ErrOutOfMemory)
	want, slots, _ := throughFaults(t, func(string, int) error { return nil })
	if slots != 8 {
		t.Fatalf("without faults %d slots", slots)
	}
	for _, c := range []struct {
		name  string
		slots int // in the end
		fail  func(what string, slots int) error
	}{
		{"decodes of eight", 4, func(what string, slots int) error {
			if what == "decode" && slots > 4 {
				return none
			}
			return nil
		}},
		{"a prompt beside eight", 4, func(what string, slots int) error {
			if what == "prefill" && slots > 4 {
				return none
			}
			return nil
		}},
		{"room for four", 2, func(what string, slots int) error {
			if what == "decode" && slots > 4 || what == "reserve" && slots == 4 {
				return none
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, slots, log := throughFaults(t, c.fail)
			if slots != c.slots || !strings.Contains(log, "decodes are narrower from now on") || !strings.Contains(log, fmt.Sprintf("slots=%d", c.slots)) {
				t.Errorf("%d slots, want %d; the log: %s", slots, c.slots, log)
			}
			for i := range got {
				if got[i].Err != nil || !slices.Equal(got[i].IDs, want[i].IDs) {
					t.Errorf("text %d: %v, %v; want %v", i, got[i].IDs, got[i].Err, want[i].IDs)
				}
			}
		})
	}
}

// Without any memory, or with a run that fails for another reason, texts end with why, each once, and the next ones get on.
func TestFaultsEndTexts(t *testing.T) {
	none, broken := fmt.Errorf("%w: Failed to allocate", session.ErrOutOfMemory), errors.New("the card fell off the bus")
	got, slots, _ := throughFaults(t, func(what string, _ int) error {
		if what == "decode" || what == "reserve" {
			return none
		}
		return nil
	})
	for i, r := range got {
		if !errors.Is(r.Err, session.ErrOutOfMemory) || slots != 1 {
			t.Errorf("text %d on %d slots: %v", i, slots, r.Err)
		}
	}
	failed := 0
	got, slots, _ = throughFaults(t, func(what string, _ int) error {
		if what == "decode" && failed < 1 {
			failed++
			return broken
		}
		return nil
	})
	ended := 0
	for _, r := range got {
		if errors.Is(r.Err, broken) {
			ended++
		} else if r.Err != nil {
			t.Error(r.Err)
		}
	}
	if ended < 1 || ended > 8 || slots != 8 {
		t.Errorf("%d texts ended with a run of 8 slots that failed; %d slots are left", ended, slots)
	}
}

// A graph for processors does not run on a card, where its attention has no kernels: it says what does.
func TestGraphsForProcessorsStayThere(t *testing.T) {
	spec := Imported(t, Testdata+"/tiny/llama", checkpoint.FP32)
	g := &Generator{spec: spec}
	o := session.Options{Device: "cuda:0"}
	if _, err := g.settleDevice(&o, false); err == nil || !strings.Contains(err.Error(), "textmill models import --device cuda makes one") {
		t.Errorf("explicitly: %v", err)
	}
	o.Auto = true
	if card, err := g.settleDevice(&o, false); err != nil || card || o.Device != "cpu" || len(g.notes) != 1 {
		t.Errorf("with auto on %s: %v, %v, %v", o.Device, card, g.notes, err)
	}
}

// A stopping runner fails once several texts are in a run, and is stopped in the run of the first half of them.
type stopping struct {
	runner
	several chan struct{} // closed when enough texts are there, so that none of them ends before
	stop    func()
	failed  bool
}

func (s *stopping) decode(ctx context.Context, first int, rows []row) ([]scored, error) {
	busy := 0
	for _, r := range rows {
		if !r.idle {
			busy++
		}
	}
	switch {
	case s.failed:
		s.stop()
	case busy < 3:
		<-s.several
		return s.runner.decode(ctx, first, rows)
	}
	s.failed = true
	return nil, errors.New("it fails")
}

// A daemon that goes down while a run that failed is being halved has every text answered.
func TestStoppedAmidHalves(t *testing.T) {
	g := eightSlots(t, false, io.Discard)
	several := make(chan struct{})
	g.run = &stopping{runner: g.run, several: several, stop: g.Stop}
	g.start()
	results := make(chan Result, 20)
	for i := range cap(results) {
		r := Request{Prompt: []int32{int32(5 + i), 7, int32(9 + i)}, Params: Params{MaxNewTokens: 20, IgnoreEOS: true},
			Done: func(r Result) { results <- r }}
		if err := g.Do(t.Context(), r); err != nil && !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		} else if err != nil {
			results <- Result{Err: err}
		}
		if i == 3 {
			close(several)
		}
	}
	for range cap(results) {
		if r := <-results; !errors.Is(r.Err, ErrStopped) {
			t.Errorf("a text that nobody stopped: %v", r.Err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
