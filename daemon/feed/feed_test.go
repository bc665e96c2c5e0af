package feed

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// A job whose feeding takes long holds up its own deliveries only, which stay in their order; its subject gets no further turn
// meanwhile. What has not been begun when all ends is handed back.
func TestJobsAreFedBesideEachOther(t *testing.T) {
	const turnMessages, turnBytes, maxUnfed = 128, 256 << 10, 64 << 20
	var mu sync.Mutex
	var order []string
	release, fed := make(chan struct{}), make(chan string, 2*turnMessages)
	q := New(Limits{Messages: turnMessages / 2, Bytes: turnBytes / 2, AllBytes: maxUnfed})
	var feeding sync.WaitGroup
	add := func(job, subject, id string, bytes int) {
		turn := q.Add(Line{Job: job}, subject, 1, bytes)
		feeding.Go(func() {
			defer turn.Done()
			said := job + id
			if !turn.Wait() {
				said += " handed back"
			}
			if said == "slow0" {
				<-release
			}
			mu.Lock()
			order = append(order, said)
			mu.Unlock()
			fed <- said
		})
	}
	for i := range 3 {
		add("slow", "shared", fmt.Sprint(i), turnBytes/4)
	}
	add("other", "shared", "0", 10)
	if !q.Full("shared") || q.Full("its own") {
		t.Errorf("shared is full: %v, its own: %v", q.Full("shared"), q.Full("its own"))
	}
	add("third", "its own", "0", maxUnfed)
	for range 2 {
		if got := <-fed; got != "other0" && got != "third0" {
			t.Errorf("%s was fed", got)
		}
	}
	<-q.Freed() // by the third job: there is room for all again
	if q.Full("its own") || q.Full("a new one") {
		t.Error("a slow job's deliveries keep those of other subjects waiting")
	}
	for i := range turnMessages {
		add("slow", "small ones", fmt.Sprint(3+i), 1)
	}
	if !q.Full("small ones") || q.Full("a new one") {
		t.Errorf("small ones are full: %v, a new one: %v", q.Full("small ones"), q.Full("a new one"))
	}
	q.End()
	ended := make(chan struct{})
	go func() { q.Drain(); close(ended) }()
	close(release)
	<-ended
	feeding.Wait()
	want := []string{"slow0"}
	for i := range 2 + turnMessages {
		want = append(want, fmt.Sprintf("slow%d handed back", i+1))
	}
	if got := order[2:]; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if q.Full("shared") || q.Full("small ones") || q.all != (amount{}) || len(q.held) != 0 || len(q.last) != 0 {
		t.Errorf("left: %v, %v, %v", q.all, q.held, q.last)
	}
}

// Who feeds in turn waits for a delivery until it is fed, but not for one that is held up, nor for those behind it.
func TestNobodyWaitsForWhatIsHeldUp(t *testing.T) {
	q := New(Limits{Messages: 1, Bytes: 1, AllBytes: 1})
	first, second, other := q.Add(Line{"j", "slow"}, "s", 1, 1), q.Add(Line{"j", "slow"}, "s", 1, 1), q.Add(Line{"j", "fast"}, "s", 1, 1)
	first.HoldUp()
	first.Follow()
	second.Follow()
	followed := make(chan struct{})
	go func() { other.Follow(); close(followed) }()
	select {
	case <-followed:
		t.Error("nobody waits for a delivery that is not held up")
	default:
	}
	other.Done()
	<-followed
	first.Done()
	go second.Done()
	second.Follow()
}
