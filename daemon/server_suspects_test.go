package daemon

import (
	"testing"

	"textmill/jobs/queue"
)

func TestSuspectsComeLastInAnOrderOfTheirOwn(t *testing.T) {
	var all []*queue.Delivery
	for i := range 200 {
		all = append(all, &queue.Delivery{Sequence: uint64(i), Delivered: 1 + i%2*suspectAfter})
	}
	one, two := suspectsLast(all), suspectsLast(all)
	same := 0
	for i, d := range one {
		switch {
		case i < 100 && (d.Delivered > 1 || d.Sequence != uint64(2*i)):
			t.Errorf("delivery %d comes at %d", d.Sequence, i)
		case i >= 100 && d.Delivered == 1:
			t.Errorf("delivery %d, no suspect, comes at %d", d.Sequence, i)
		case i >= 100 && two[i] == d:
			same++
		}
	}
	if len(one) != 200 || same > 50 {
		t.Errorf("%d deliveries; two daemons have %d of 100 suspects at the same place", len(one), same)
	}
}
