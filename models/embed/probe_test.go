package embed

import (
	"slices"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/tiny"
	"textmill/models/session"
)

func TestProbeFindsWhatDependsOnItsBatch(t *testing.T) {
	for name, m := range map[string]tiny.Model{"a table": {}, "positions": {Positions: true}, "half": {Half: true}} {
		if e := openTiny(t, m, nil); e.company.Runs != session.Any || e.Dependence() != "" {
			t.Errorf("%s: %+v, %q", name, e.company, e.Dependence())
		}
	}
	if e := openTiny(t, tiny.Model{Pooled: true}, nil); e.company.Runs.Holds() || e.company.Apart < 0.1 {
		t.Errorf("a graph whose vectors go by their padding: %+v", e.company)
	}
	e := openTiny(t, tiny.Model{Ranged: true}, nil)
	if why := e.Dependence(); e.company.Runs.Holds() || !strings.Contains(why, "DynamicQuantizeLinear") || !(e.company.Apart > 1e-4) {
		t.Errorf("a graph that quantizes by the range of the whole run: %+v, %q", e.company, why)
	}
}

// A run is made to fit, and the rows that do so are nobody's.
func TestRunsAreMadeToFit(t *testing.T) {
	e := openTiny(t, tiny.Model{Types: true}, nil)
	for _, s := range []session.Shape{{Least: 2, Multiple: 1}, {Least: 4, Multiple: 4}, {Least: 16, Multiple: 8}} {
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
	spec, err := models.OpenBundle(tiny.Bundle(t, tiny.Model{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := session.Options{Home: t.TempDir(), Library: places.Library(testHome(t)), Threads: 1, BatchTokens: 256}
	if _, ok, err := session.Remembered(spec, o, "cpu"); ok || err != nil {
		t.Fatalf("%v, %v before anything was probed", ok, err)
	}
	open := func() session.Company {
		e, err := Open(t.Context(), spec, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close() //nolint:errcheck // of a test
		return e.company
	}
	if got := open(); got.Runs != session.Any {
		t.Fatalf("%+v", got)
	}
	if got, ok, err := session.Remembered(spec, o, "cpu"); !ok || err != nil || got.Runs != session.Any {
		t.Errorf("%+v, %v, %v after it was probed", got, ok, err)
	}
	if err := session.Remember(spec, o, "cpu", session.Company{Runs: session.Shape{Least: 4, Multiple: 2}}); err != nil {
		t.Fatal(err)
	}
	if got := open(); got.Runs != (session.Shape{Least: 4, Multiple: 2}) {
		t.Errorf("%+v, want what was kept", got)
	}
	o.Threads = 2
	if got := open(); got.Runs != session.Any {
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
