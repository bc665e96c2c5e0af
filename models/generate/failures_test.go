package generate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/models"
	"textmill/models/generate"
)

func TestBadPrompts(t *testing.T) {
	g := open(t, tiny(t, "llama", nil), generate.Options{})
	for name, c := range map[string]struct {
		prompt []int32
		is     error
	}{
		"empty":          {nil, generate.ErrPrompt},
		"no such token":  {[]int32{5, 64}, generate.ErrPrompt},
		"negative":       {[]int32{-1}, generate.ErrPrompt},
		"fills all":      {make([]int32, 64), generate.ErrNoRoom},
		"beyond context": {make([]int32, 65), generate.ErrTooLong},
	} {
		if err := g.Do(t.Context(), generate.Request{Prompt: c.prompt, Params: generate.Params{MaxNewTokens: 1}}); !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
	results := all(t, g, []generate.Request{{Prompt: make([]int32, 63), Params: generate.Params{MaxNewTokens: 50, IgnoreEOS: true}}})
	if len(results[0].IDs) != 1 || results[0].Finish != generate.FinishLength {
		t.Errorf("the last place of the context: %+v", results[0])
	}
	if _, err := generate.Open(t.Context(), tiny(t, "bert", nil), generate.Options{}); !errors.Is(err, models.ErrBundle) {
		t.Errorf("an embedding model: %v", err)
	}
}

// outcome runs one request that must fail.
func outcome(t *testing.T, g *generate.Generator) error {
	t.Helper()
	done := make(chan generate.Result, 1)
	err := g.Do(t.Context(), generate.Request{Prompt: []int32{5, 6, 7}, Params: generate.Params{MaxNewTokens: 5}, Done: func(r generate.Result) { done <- r }})
	if err != nil {
		t.Fatal(err)
	}
	return (<-done).Err
}

func TestFailures(t *testing.T) {
	huge := tiny(t, "llama", func(data []byte) { // every weight of the last norm overflows what follows
		n := binary.LittleEndian.Uint64(data)
		var header map[string]struct {
			Dtype   string
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(bytes.TrimSpace(data[8:8+n]), &header); err != nil {
			t.Fatal(err)
		}
		norm := header["model.norm.weight"]
		if norm.Dtype != "BF16" {
			t.Fatal(norm)
		}
		for at := norm.Offsets[0]; at < norm.Offsets[1]; at += 2 {
			binary.LittleEndian.PutUint16(data[8+int(n)+at:], uint16(math.Float32bits(3e38)>>16))
		}
	})
	for name, g := range map[string]*generate.Generator{"processor": open(t, huge, generate.Options{}),
		"device": open(t, huge, generate.OnDevice(generate.Options{}, 0))} {
		if err := outcome(t, g); !errors.Is(err, generate.ErrNaN) {
			t.Errorf("logits that overflow on a %s: %v", name, err)
		}
	}
}

// A run that takes too long ends, be it of a text or of the probe by which a model is opened, which is not remembered then.
func TestNoRunTakesLongerThanItMay(t *testing.T) {
	spec := tiny(t, "llama", nil)
	usual := generate.FreshSession(t)
	short := usual
	short.RunTimeout = time.Nanosecond
	_, err := generate.Open(t.Context(), spec, generate.Options{Session: short})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), spec.Name) || !strings.Contains(err.Error(), "longer than 1ns (limits.run_timeout)") {
		t.Errorf("a probe without time: %v", err)
	}
	if err := outcome(t, open(t, spec, generate.Options{Session: usual})); err != nil {
		t.Errorf("with time: %v", err)
	}
	for name, o := range map[string]generate.Options{"processor": {Session: short}, "device": generate.OnDevice(generate.Options{Session: short}, 0)} {
		if err := outcome(t, open(t, spec, o)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a text without time on a %s: %v", name, err)
		}
	}
}

func TestStopAndClose(t *testing.T) {
	o := generate.Options{Slots: 2}
	t.Run("processor", func(t *testing.T) { stopAndClose(t, o) })
	t.Run("device", func(t *testing.T) { stopAndClose(t, generate.OnDevice(o, 0)) })
}

func stopAndClose(t *testing.T, o generate.Options) {
	g := open(t, tiny(t, "llama", nil), o)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var stopped, finished int
	entered := make(chan struct{})
	once := sync.OnceFunc(func() { close(entered) })
	for range 4 {
		wg.Add(1)
		err := g.Do(t.Context(), generate.Request{Prompt: []int32{5}, Params: generate.Params{MaxNewTokens: 60, IgnoreEOS: true},
			Step: func(s generate.Step) {
				once()
				if s.Index == 0 { // hold the loop until Stop
					<-g.Stopped()
				}
			},
			Done: func(r generate.Result) {
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(r.Err, generate.ErrStopped) {
					stopped++
				} else {
					finished++
				}
				wg.Done()
			}})
		if err != nil {
			t.Fatal(err)
		}
	}
	<-entered
	g.Stop()
	wg.Wait()
	if stopped != 4 {
		t.Errorf("%d stopped, %d finished", stopped, finished)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := g.Do(t.Context(), generate.Request{Prompt: []int32{5}}); !errors.Is(err, generate.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
