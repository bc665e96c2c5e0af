package embed

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/learned"
	"textmill/models/internal/tiny"
	"textmill/models/session"
)

func openTiny(t *testing.T, m tiny.Model, change tiny.Files) *Embedder {
	t.Helper()
	spec, err := models.OpenBundle(tiny.Bundle(t, m, change))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), spec, session.Options{Home: testHome(t), BatchTokens: 256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func embed(t *testing.T, e *Embedder, rows ...Row) []Vector {
	t.Helper()
	v, err := e.Embed(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-5 })
}

func TestPoolingSeesOnlyRealTokens(t *testing.T) {
	for _, side := range []string{"right", "left"} {
		t.Run(side, func(t *testing.T) {
			e := openTiny(t, tiny.Model{Types: true}, tiny.Files{"tokenizer_config.json": `{"pad_token":"[PAD]","padding_side":"` + side + `"}`})
			short := []int32{2, 4}
			for _, c := range []struct {
				name string
				row  Row
				want []float32
			}{
				{"mean", Row{IDs: short}, []float32{3, -3, 10, 1}},
				{"mean without the prompt", Row{IDs: short, Skip: 1}, []float32{4, -4, 16, 1}},
				{"cls", Row{IDs: short, Pooling: models.PoolCLS}, []float32{2, -2, 4, 1}},
				{"last", Row{IDs: short, Pooling: models.PoolLast, TypeIDs: []int32{0, 1}}, []float32{4, -4, 16, 1}},
				{"max", Row{IDs: short, Pooling: models.PoolMax}, []float32{4, -2, 16, 1}},
				{"none", Row{IDs: short, Pooling: models.PoolNone}, []float32{2, -2, 4, 1, 4, -4, 16, 1}},
			} {
				got := embed(t, e, Row{IDs: []int32{8, 8, 8, 8, 8}}, c.row)
				if !near(got[1], c.want) {
					t.Errorf("%s: %v, want %v", c.name, got[1], c.want)
				}
			}
		})
	}
}

func TestPositionsCountFromTheFirstRealToken(t *testing.T) {
	for _, side := range []string{"right", "left"} {
		e := openTiny(t, tiny.Model{Positions: true}, tiny.Files{"tokenizer_config.json": `{"pad_token":"[PAD]","padding_side":"` + side + `"}`})
		got := embed(t, e, Row{IDs: []int32{8, 8, 8}}, Row{IDs: []int32{2, 4}})
		if want := []float32{53, 47, 60, 51}; !near(got[1], want) {
			t.Errorf("padding %s: %v, want %v", side, got[1], want)
		}
	}
}

func TestNaNIsTheRowsOwn(t *testing.T) {
	e := openTiny(t, tiny.Model{}, nil)
	got := embed(t, e, Row{IDs: []int32{1}}, Row{IDs: []int32{9, 1}}, Row{IDs: []int32{3}})
	if got[0] == nil || got[1] != nil || got[2] == nil {
		t.Errorf("%v, want a nil vector for the second row alone", got)
	}
}

func TestGraphThatPoolsItself(t *testing.T) {
	e := openTiny(t, tiny.Model{Pooled: true, Output: "whatever"}, nil)
	if got := embed(t, e, Row{IDs: []int32{2, 4}}); !near(got[0], []float32{3, -3, 10, 1}) {
		t.Errorf("%v", got[0])
	}
	if _, err := e.Embed(t.Context(), []Row{{IDs: []int32{1}, Pooling: models.PoolCLS}}); !errors.Is(err, ErrRow) {
		t.Errorf("cls of a graph that pools: %v, want ErrRow", err)
	}
}

func TestHalfPrecisionOutput(t *testing.T) {
	e := openTiny(t, tiny.Model{Half: true}, nil)
	if got := embed(t, e, Row{IDs: []int32{1}}, Row{IDs: []int32{2, 4}}); !near(got[1], []float32{3, -3, 10, 1}) {
		t.Errorf("%v", got)
	}
}

func TestExternalWeightsRun(t *testing.T) {
	e := openTiny(t, tiny.Model{External: "model.onnx_data"}, nil)
	if got := embed(t, e, Row{IDs: []int32{2, 4}}); !near(got[0], []float32{3, -3, 10, 1}) {
		t.Errorf("%v", got[0])
	}
}

func TestImpossibleRowsAreRefused(t *testing.T) {
	e := openTiny(t, tiny.Model{}, nil)
	for name, row := range map[string]Row{
		"no tokens":       {},
		"too long":        {IDs: make([]int32, 9)},
		"types too short": {IDs: []int32{1, 2}, TypeIDs: []int32{0}},
		"unknown pooling": {IDs: []int32{1}, Pooling: "median"},
		"all skipped":     {IDs: []int32{1}, Skip: 1},
	} {
		if _, err := e.Embed(t.Context(), []Row{row}); !errors.Is(err, ErrRow) {
			t.Errorf("%s: %v, want ErrRow", name, err)
		}
	}
}

func TestConcurrentCallsKeepTheirRows(t *testing.T) {
	e := openTiny(t, tiny.Model{Types: true}, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			id := int32(g)
			for n := 1; n <= 8; n++ {
				rows := make([]Row, n)
				for i := range rows {
					rows[i].IDs = slices.Repeat([]int32{id}, 1+i)
				}
				got, err := e.Embed(t.Context(), rows)
				if err != nil {
					t.Error(err)
					return
				}
				for _, v := range got {
					if !near(v, []float32{float32(id), -float32(id), float32(id * id), 1}) {
						t.Errorf("id %d: %v", id, v)
					}
				}
			}
		})
	}
	wg.Wait()
}

// long is a batch that takes seconds.
func long() []Row {
	rows := make([]Row, 48)
	for i := range rows {
		rows[i].IDs = slices.Repeat([]int32{2023}, 256)
	}
	return rows
}

func TestContextStopsARun(t *testing.T) {
	e := testEmbedder(t)
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(100*time.Millisecond, cancel).Stop()
		if _, err := e.Embed(ctx, long()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := e.Embed(ctx, long()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want context.DeadlineExceeded", err)
		}
	})
	t.Run("the session goes on", func(t *testing.T) {
		if v := embed(t, e, Row{IDs: []int32{101, 2023, 102}}); v[0] == nil {
			t.Error("no vector")
		}
	})
}

func TestBatchSizeIsLearnedOnce(t *testing.T) {
	spec, err := models.OpenBundle(tiny.Bundle(t, tiny.Model{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := session.Options{Home: t.TempDir(), Library: places.Library(testHome(t)), Threads: 1}
	known := o
	known.BatchTokens = budgets[0] // nothing to learn before measuring
	first, err := Open(t.Context(), spec, known)
	if err != nil {
		t.Fatal(err)
	}
	rates, err := first.measure(t.Context(), time.Millisecond)
	if err := errors.Join(err, first.Close()); err != nil {
		t.Fatal(err)
	}
	if len(rates) == 0 || rates[0].TokensPerSecond <= 0 || first.Workers() != 1 || first.Device() != "cpu" {
		t.Errorf("%+v, %+v", rates, first)
	}
	if err := learned.Write(places.BatchTokens(o.Home), session.MachineKey(spec, "cpu", 1), 777); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	if e.BatchTokens() != 777 {
		t.Errorf("batch size %d, want the one that was kept, 777", e.BatchTokens())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// A model whose runs take too long when it is opened is not opened, and not waited for.
func TestProbesAndLearningHaveALimit(t *testing.T) {
	spec, err := models.OpenBundle(tiny.Bundle(t, tiny.Model{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	usual := session.Options{Home: t.TempDir(), Library: places.Library(testHome(t)), Threads: 1, BatchTokens: 256}
	short := usual
	short.RunTimeout = time.Nanosecond
	refused := func(what string, o session.Options) {
		t.Helper()
		_, err := Open(t.Context(), spec, o)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), what+" "+spec.Name) || !strings.Contains(err.Error(), "longer than 1ns (limits.run_timeout)") {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("probe what company does to vectors of", short)
	e, err := Open(t.Context(), spec, usual) // remembers the probe
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	short.BatchTokens = 0
	refused("learn the batch size of", short)
}

func TestDevices(t *testing.T) {
	spec, err := models.OpenBundle(tiny.Bundle(t, tiny.Model{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	open := func(device string) (*Embedder, error) {
		return Open(t.Context(), spec, session.Options{Home: testHome(t), Device: device, BatchTokens: 256})
	}
	if _, err := open("gpu"); err == nil {
		t.Error("device gpu was accepted")
	}
	e, err := open("auto")
	if err != nil {
		t.Fatal(err)
	}
	if e.Device() != "cpu" && e.Device() != "cuda:0" {
		t.Errorf("auto is %q", e.Device())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
