package commit

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/export/disk"
)

// stuck holds up what becomes an entry of one dataset's log.
type stuck struct {
	dataset string
	reached chan struct{}
	release chan struct{}
	once    sync.Once
}

func (s *stuck) around(op *disk.Op, do func() error) error {
	if op.Kind == disk.OpLink && strings.Contains(op.Dir, string(filepath.Separator)+s.dataset) {
		s.once.Do(func() { close(s.reached) })
		<-s.release
	}
	return do()
}

// The goroutine that runs the model gives rows to many datasets: a commit that takes long holds up neither it nor the others, and says
// when no more rows should be made for it.
func TestASlowCommitHoldsUpNoModel(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	slow := &stuck{dataset: "slow", reached: make(chan struct{}), release: make(chan struct{})}
	store, err := export.OpenStore(export.Options{URI: t.TempDir(), Version: "test", Logger: quiet, Intercept: slow.around})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	const backlog = 64 << 10
	all := New(Options{Store: store, MaxOpen: 2, Interval: time.Millisecond, PartBytes: 1 << 20, Backlog: backlog,
		EndsJob: func(string, int) bool { return false }, Metrics: metrics.New("test"), Log: quiet})
	gather := func(dataset string, n int) (*Committer, *Rows) {
		c, err := all.Open(t.Context(), dataset)
		if err != nil {
			t.Fatal(err)
		}
		return c, c.Gather(delivery(t, fmt.Sprintf(`{"job":"j","shard":"%s-%d","dataset":%[1]q,"records":[{"text":"x"}]}`, dataset, n)), export.Vectors{})
	}
	committed := func(r *Rows) {
		t.Helper()
		if got, n := r.Result(); got.Logged != export.Committed || got.Failed != nil || got.Uncommitted != nil || n.Rows != 1 {
			t.Errorf("%+v, %+v", got, n)
		}
		r.to.Leave()
	}
	made := func(r *Rows) {
		arrive := r.Expect()
		r.Fed()
		arrive([]export.Row{{Job: "j", Text: export.Some(strings.Repeat("x", 1<<10))}})
	}
	_, first := gather("slow", 0)
	made(first)
	<-slow.reached

	var waiting []*Rows
	for n := range 200 { // more than any channel between them might hold
		c, r := gather("slow", 1+n)
		if fits := n*(1<<10) < backlog/4; fits && c.Behind() != nil {
			t.Errorf("%d small deliveries are too many", n)
		}
		made(r)
		waiting = append(waiting, r)
	}
	behind := first.to.Behind()
	if behind == nil {
		t.Error("nobody is told that the committer lags")
	}
	for n := range 20 {
		c, r := gather("fast", n)
		if c.Behind() != nil {
			t.Error("a committer that keeps up is said to lag")
		}
		made(r)
		committed(r)
	}
	close(slow.release)
	<-behind
	for _, r := range append(waiting, first) {
		committed(r)
	}
	all.Finish()
}
