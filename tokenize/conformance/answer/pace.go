package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"textmill/tokenize"
)

// pace tells how long, by the clock and by the processor, all texts take, Rounds times over, with Threads goroutines
// on as many processors.
func (s *session) pace(r request) any {
	work, ok := map[string]func(*tokenize.Tokenizer, []string) (int, error){"ids": paceIDs,
		"encoding": paceEncoding}[r.Form]
	if !ok || r.Threads < 1 || r.Rounds < 1 {
		return refusal(fmt.Errorf("pace %q with %d threads, %d rounds", r.Form, r.Threads, r.Rounds))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(r.Threads))
	tokens, failures := make([]int, r.Threads), make([]error, r.Threads)
	var all sync.WaitGroup
	began, used := time.Now(), processorTime()
	for n := range r.Threads {
		all.Go(func() {
			texts := r.Texts[len(r.Texts)*n/r.Threads : len(r.Texts)*(n+1)/r.Threads]
			for range r.Rounds {
				if tokens[n], failures[n] = work(s.tokenizer, texts); failures[n] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	took, spent := time.Since(began), processorTime()-used
	total := 0
	for n := range tokens {
		if failures[n] != nil {
			return refusal(failures[n])
		}
		total += tokens[n] * r.Rounds
	}
	return map[string]any{"seconds": took.Seconds(), "processor": spent.Seconds(), "tokens": total}
}

// processorTime is what this process has used so far, on all threads.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the kernel knows the call and the address is ours
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// paceIDs makes IDs, type IDs and offsets, as the daemon does.
func paceIDs(t *tokenize.Tokenizer, texts []string) (total int, err error) {
	var body, ids, types []int32
	var spans []tokenize.Span
	for _, text := range texts {
		if body, spans, err = t.AppendBody(body[:0], spans[:0], text); err != nil {
			return 0, err
		}
		ids, types = t.AppendInput(ids[:0], types[:0], body)
		total += len(ids)
	}
	return total, nil
}

// paceEncoding makes all that Hugging Face's encode makes.
func paceEncoding(t *tokenize.Tokenizer, texts []string) (total int, err error) {
	for _, text := range texts {
		e, err := t.Encode(text, tokenize.Options{})
		if err != nil {
			return 0, err
		}
		total += e.Len()
	}
	return total, nil
}

// loadTime reads a tokenizer.json and tells how long that took.
func (s *session) loadTime(r request) any {
	debug.FreeOSMemory() // what earlier loads left behind is not this one's to clear
	began := time.Now()
	t, err := tokenize.Load(r.Path)
	if err != nil {
		return refusal(err)
	}
	took := time.Since(began)
	s.tokenizer = t
	return map[string]any{"seconds": took.Seconds()}
}
