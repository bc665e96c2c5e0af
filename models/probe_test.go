package models

import (
	"slices"
	"strings"
	"testing"

	"textmill/places"
)

func TestFindShape(t *testing.T) {
	sizes := func(bad func(int) bool) map[int]bool {
		same := map[int]bool{}
		for _, n := range probeLengths {
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

func TestProbeFindsWhatDependsOnItsBatch(t *testing.T) {
	for name, m := range map[string]tiny{"a table": {}, "positions": {positions: true}, "half": {half: true}} {
		if e := openTiny(t, m, nil); e.company.Runs != Any || e.Dependence() != "" {
			t.Errorf("%s: %+v, %q", name, e.company, e.Dependence())
		}
	}
	if e := openTiny(t, tiny{pooled: true}, nil); e.company.Runs.Holds() || e.company.Apart < 0.1 {
		t.Errorf("a graph whose vectors go by their padding: %+v", e.company)
	}
	e := openTiny(t, tiny{ranged: true}, nil)
	if why := e.Dependence(); e.company.Runs.Holds() || !strings.Contains(why, "DynamicQuantizeLinear") || !(e.company.Apart > 1e-4) {
		t.Errorf("a graph that quantizes by the range of the whole run: %+v, %q", e.company, why)
	}
}

// A run is made to fit, and the rows that do so are nobody's.
func TestRunsAreMadeToFit(t *testing.T) {
	e := openTiny(t, tiny{types: true}, nil)
	for _, s := range []Shape{{2, 1}, {4, 4}, {16, 8}} {
		e.company.Runs = s
		rows := []Row{{IDs: []int32{3}}, {IDs: []int32{2, 4, 2, 4}}}
		run, _ := e.fit(rows)
		total := 0
		for _, r := range run {
			total += len(r.IDs)
		}
		if total != s.Fit(5) {
			t.Errorf("%v: %d tokens", s, total)
		}
		got := embed(t, e, rows...)
		if len(got) != 2 || !near(got[0], []float32{3, -3, 9, 1}) || !near(got[1], []float32{3, -3, 10, 1}) {
			t.Errorf("%v: %v", s, got)
		}
	}
}

// What was found is found again by the next session, and only by one on the same graph, library and processor.
func TestWhatWasProbedIsRemembered(t *testing.T) {
	spec, err := OpenBundle(tinyBundle(t, tiny{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := SessionOptions{Home: t.TempDir(), Library: places.Library(testHome(t)), Threads: 1, BatchTokens: 256}
	if _, ok, err := spec.Remembered(o, "cpu"); ok || err != nil {
		t.Fatalf("%v, %v before anything was probed", ok, err)
	}
	open := func() Company {
		e, err := OpenEmbedder(t.Context(), spec, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close() //nolint:errcheck // of a test
		return e.company
	}
	if got := open(); got.Runs != Any {
		t.Fatalf("%+v", got)
	}
	if got, ok, err := spec.Remembered(o, "cpu"); !ok || err != nil || got.Runs != Any {
		t.Errorf("%+v, %v, %v after it was probed", got, ok, err)
	}
	if err := spec.Remember(o, "cpu", Company{Runs: Shape{4, 2}}); err != nil {
		t.Fatal(err)
	}
	if got := open(); got.Runs != (Shape{4, 2}) {
		t.Errorf("%+v, want what was kept", got)
	}
	o.Threads = 2
	if got := open(); got.Runs != Any {
		t.Errorf("%+v with two threads, which nobody had probed", got)
	}
}

// The vectors of the default model are the same bits alone, in company and in other company, on whatever processor this is.
func TestBatchesDoNotChangeVectors(t *testing.T) {
	e := testEmbedder(t)
	if why := e.Dependence(); why != "" {
		t.Fatal(why)
	}
	goldens := readGolden(t)[:24]
	rows := make([]Row, len(goldens))
	for i, g := range goldens {
		rows[i].IDs = g.IDs[:min(len(g.IDs), 40)]
	}
	want := embed(t, e, rows...)
	for i, row := range rows {
		if got := embed(t, e, row)[0]; !slices.Equal(got, want[i]) {
			t.Errorf("text %d comes to other bits alone", i)
		}
		if j := (i + 7) % len(rows); !slices.Equal(embed(t, e, rows[j], row)[1], want[i]) {
			t.Errorf("text %d comes to other bits beside text %d", i, j)
		}
	}
}
