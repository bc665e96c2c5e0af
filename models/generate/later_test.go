package generate_test

import (
	"slices"
	"sync"
	"testing"

	"textmill/models/generate"
)

// A request that comes later than others enters no slot while one of them waits, though it was there first.
func TestLaterComesAfterOthers(t *testing.T) {
	g := open(t, tiny(t, "llama", nil), generate.Options{Slots: 2})
	var mu sync.Mutex
	var entered []string
	var running sync.WaitGroup
	release, held := make(chan struct{}), make(chan struct{}, 1)
	do := func(name string, later bool) {
		t.Helper()
		running.Add(1)
		err := g.Do(t.Context(), generate.Request{Prompt: []int32{5, 6}, Later: later, Params: generate.Params{MaxNewTokens: 4, IgnoreEOS: true},
			Step: func(s generate.Step) {
				if s.Index > 0 {
					return
				}
				mu.Lock()
				entered = append(entered, name)
				first := len(entered) == 1
				mu.Unlock()
				if first { // hold the loop until all are there
					held <- struct{}{}
					<-release
				}
			},
			Done: func(generate.Result) { running.Done() }})
		if err != nil {
			t.Fatal(err)
		}
	}
	do("a", false)
	<-held
	do("later", true)
	do("later too", true)
	do("b", false)
	do("c", false)
	close(release)
	running.Wait()
	slices.Sort(entered[1:3])
	if want := []string{"a", "b", "c"}; !slices.Equal(entered[:3], want) || len(entered) != 5 {
		t.Errorf("they entered in the order %q", entered)
	}
	// With nothing else to do they run at once.
	do("alone", true)
	running.Wait()
}
