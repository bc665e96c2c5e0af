package sample

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestStopAcrossPieces(t *testing.T) {
	for _, c := range []struct {
		name, want string
		stops      []string
		pieces     []string
		stopped    bool
	}{
		{"no stop strings", "a b c", nil, []string{"a", " b", " c"}, false},
		{"an empty one never matches", "ab", []string{""}, []string{"a", "b"}, false},
		{"within a piece", "one", []string{"END"}, []string{"oneEND two", "x"}, true},
		{"over three pieces", "one", []string{"STOP"}, []string{"oneS", "TO", "P two"}, true},
		{"a beginning that goes on otherwise is let through", "a STO-P", []string{"STOP"}, []string{"a ST", "O", "-P"}, false},
		{"a beginning at the end is flushed", "a STO", []string{"STOP"}, []string{"a ST", "O"}, false},
		{"a stop string that overlaps its own beginning", "aab", []string{"aabaac"}, []string{"aabaa", "baac"}, true},
		{"the one complete first", "a", []string{"abcde", "bcd"}, []string{"abcdef"}, true},
		{"the longer of two complete at once", "x", []string{"cd", "abcd"}, []string{"xab", "cd"}, true},
		{"a character of several bytes", "né", []string{"€\n"}, []string{"né€", "\n"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, stopped := feed(NewStopper(c.stops), c.pieces)
			if got != c.want || stopped != c.stopped {
				t.Errorf("got %q, stopped %v; want %q, %v", got, stopped, c.want, c.stopped)
			}
		})
	}
}

func feed(s *Stopper, pieces []string) (string, bool) {
	var out strings.Builder
	for _, p := range pieces {
		text, stopped := s.Feed(p)
		out.WriteString(text)
		if stopped {
			return out.String(), true
		}
	}
	out.WriteString(s.Flush())
	return out.String(), false
}

// Whatever the pieces, the outcome is what strings.Index says of the whole, and nothing is held that cannot be a beginning.
func TestStopperEqualsIndexOnTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	hits := 0
	for range 50_000 {
		whole := letters(rng.IntN(40))
		stops := make([]string, rng.IntN(4))
		for i := range stops {
			stops[i] = letters(1 + rng.IntN(6))
		}
		cut, end := -1, len(whole)+1
		for _, stop := range stops {
			if at := strings.Index(whole, stop); at >= 0 {
				if e := at + len(stop); e < end || e == end && at < cut {
					cut, end = at, e
				}
			}
		}
		want := whole
		if cut >= 0 {
			want = whole[:cut]
			hits++
		}
		var pieces []string
		for rest := whole; rest != ""; {
			n := 1 + rng.IntN(min(5, len(rest)))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		s := NewStopper(stops)
		if got, stopped := feed(s, pieces); got != want || stopped != (cut >= 0) {
			t.Fatalf("%q with stops %q in pieces %q: %q, %v, want %q", whole, stops, pieces, got, stopped, want)
		}
	}
	if hits < 10_000 {
		t.Errorf("only %d texts hold a stop string", hits)
	}
}
