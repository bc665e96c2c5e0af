package daemon

import (
	"testing"

	"textmill/jobs"
	"textmill/jobs/queue"
)

func TestSuspectsAreApartInAnOrderOfTheirOwn(t *testing.T) {
	var all []*queue.Delivery
	for i := range 200 {
		all = append(all, &queue.Delivery{Sequence: uint64(i), Delivered: 1 + i%2*suspectAfter})
	}
	rest, one := partSuspects(all)
	_, two := partSuspects(all)
	same := 0
	for i := range min(len(rest), len(one), len(two)) {
		if d := rest[i]; d.Delivered > 1 || d.Sequence != uint64(2*i) {
			t.Errorf("delivery %d comes at %d", d.Sequence, i)
		}
		if one[i].Delivered == 1 {
			t.Errorf("delivery %d is no suspect", one[i].Sequence)
		}
		if one[i] == two[i] {
			same++
		}
	}
	if len(rest) != 100 || len(one) != 100 || same > 50 {
		t.Errorf("%d deliveries and %d suspects; two daemons have %d of these at the same place", len(rest), len(one), same)
	}
}

// Groups are as large as each of their members may be in, and as their input may be.
func TestGroupsOfSuspects(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []int
		bytes  int // of each
		want   int
	}{
		{"none", nil, 1, 0},
		{"one", []int{1}, 1, 1},
		{"alone", []int{1, 1, 1}, 1, 1},
		{"all that may", []int{64, 64, 64}, 1, 3},
		{"a quarter of before", []int{4, 4, 4, 4, 4, 4}, 1, 4},
		{"those before who may be in fewer", []int{64, 64, 64, 3}, 1, 3},
		{"with those who may be in fewer", []int{64, 64, 3, 1}, 1, 3},
		{"much input", []int{64, 64, 64}, quarantineBytes / 2, 2},
		{"too much input", []int{64, 64, 64}, 2 * quarantineBytes, 1},
	} {
		var free []suspect
		for _, share := range c.shares {
			free = append(free, suspect{shard: &jobs.Shard{}, bytes: c.bytes, share: share})
		}
		if got := groupOf(free); got != c.want {
			t.Errorf("%s: %d run together, want %d", c.name, got, c.want)
		}
	}
	many := make([]suspect, 2*quarantineMost)
	for i := range many {
		many[i] = suspect{shard: &jobs.Shard{Input: &jobs.Input{Length: 10, Size: quarantineBytes}}, share: quarantineMost}
	}
	if got := groupOf(many); got != quarantineMost {
		t.Errorf("%d of many run together, want %d", got, quarantineMost)
	}
}
