package session

import (
	"testing"

	"textmill/models"
)

func TestFindShape(t *testing.T) {
	sizes := func(bad func(int) bool) map[int]bool {
		same := map[int]bool{}
		for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 18, 20, 24, 31, 32, 33, 40, 64} { // as probes try them
			same[n] = !bad(n)
		}
		return same
	}
	for _, c := range []struct {
		name string
		bad  func(int) bool
		want Shape
	}{
		{"nothing differs", func(int) bool { return false }, Any},
		{"one row goes another way", func(n int) bool { return n == 1 }, Shape{2, 1}},
		{"few rows go another way", func(n int) bool { return n < 6 }, Shape{6, 1}},
		{"a row left over of pairs", func(n int) bool { return n%2 == 1 }, Shape{2, 2}},
		{"rows left over of tiles of eight", func(n int) bool { return n%8 != 0 }, Shape{8, 8}},
		{"one row left over of a large tile", func(n int) bool { return n%64 == 1 || n == 33 }, Shape{2, 2}},
		{"every size is different", func(n int) bool { return n < 64 }, Shape{}},
	} {
		if got := FindShape(sizes(c.bad)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		s       Shape
		n, want int
	}{{Any, 1, 1}, {Shape{2, 1}, 1, 2}, {Shape{2, 1}, 3, 3}, {Shape{2, 2}, 3, 4}, {Shape{8, 4}, 3, 8}, {Shape{}, 5, 5}} {
		if got := c.s.Fit(c.n); got != c.want {
			t.Errorf("%d rows in the Shape %v: %d, want %d", c.n, c.s, got, c.want)
		}
	}
}

func TestMeasuredOn(t *testing.T) {
	writer := &models.Spec{Decoder: &models.Decoder{}}
	for _, c := range []struct {
		s            *models.Spec
		device, want string
	}{{&models.Spec{}, "cuda:1", "cuda:1"}, {&models.Spec{}, "cpu", "cpu"}, {writer, "cuda:1", "cpu"}, {writer, "cpu", "cpu"}} {
		if got := (Options{Device: c.device}).MeasuredOn(c.s); got != c.want {
			t.Errorf("on %s, a model to generate: %v: %s, want %s", c.device, c.s.Decoder != nil, got, c.want)
		}
	}
}
