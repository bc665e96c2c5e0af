package losing

import "testing"

// Nothing is lost before something was to be, nor by a request of another text.
func TestLostTellsOfARequest(t *testing.T) {
	p := &Proxy{}
	for n, step := range []struct {
		lose, said string
		lost       bool
	}{{"", "PUB a", false}, {"PUB b", "PUB a", false}, {"", "PUB b", true}, {"", "PUB c", true}, {"PUB c", "PUB a", false}} {
		if step.lose != "" {
			p.Lose(step.lose)
		}
		if p.loses([]byte(step.said)); p.Lost() != step.lost {
			t.Errorf("step %d: lost %v", n, !step.lost)
		}
	}
}
