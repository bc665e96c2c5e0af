package telemetry

import (
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// What publishers may choose to be told of beyond the share that holds for everybody.
const (
	othersASecond = 10
	othersAtOnce  = 100
)

// others bounds how many traces are told of because somebody else, who pays nothing for it, chose them: whoever
// publishes can. Those who choose the share that is configured here seldom meet the bound.
type others struct {
	share float64

	mu     sync.Mutex
	left   float64
	filled time.Time
}

func newOthers(share float64) *others {
	return &others{share: share, left: othersAtOnce, filled: time.Now()}
}

// take says whether one more is told of, which belongs to a trace or to none.
func (o *others) take(of Trace) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.left = min(othersAtOnce, o.left+o.share+othersASecond*now.Sub(o.filled).Seconds())
	o.filled = now
	if !trace.SpanContextFromContext(of.context()).IsSampled() {
		return true
	}
	if o.left < 1 {
		return false
	}
	o.left--
	return true
}
