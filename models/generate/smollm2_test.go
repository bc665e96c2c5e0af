package generate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"textmill/internal/golden"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/fetch"
	"textmill/models/generate"
)

// expected is a line of testdata/greedy.jsonl.gz: what transformers makes of a prompt in fp32, made by testdata/golden.py.
type expected struct {
	ID        int             `json:"id"`
	Messages  json.RawMessage `json:"messages"`
	Prompt    string          `json:"chat_prompt"`
	PromptIDs []int32         `json:"prompt_ids"`
	IDs       []int32         `json:"generated_ids"`
	Text      string          `json:"text"`
}

func readGolden(t testing.TB) []expected {
	t.Helper()
	return golden.Values[expected](t, filepath.Join("testdata", "greedy.jsonl.gz"))
}

// bundles are imported once for all tests of the package.
var bundles struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "textmill-generate-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bundles.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// smolLM2 is the bundle of a precision; graph names one of its files, "" for the first.
func smolLM2(t testing.TB, precision, graph string) *models.Spec {
	t.Helper()
	bundles.Lock()
	defer bundles.Unlock()
	dir := filepath.Join(bundles.dir, "SmolLM2-"+precision)
	if _, err := os.Stat(dir); err != nil {
		home, err := models.Home()
		if err != nil {
			t.Fatal(err)
		}
		got, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, "SmolLM2-135M-Instruct")
		if err != nil {
			t.Fatal(err)
		}
		source := filepath.Join(got.Path, "SmolLM2-135M-Instruct.Q4_1.gguf")
		if _, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: bundles.dir, Name: filepath.Base(dir), Precision: precision}); err != nil {
			t.Fatal(err)
		}
	}
	spec, err := models.OpenGraph(dir, graph)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func open(t testing.TB, spec *models.Spec, o generate.Options) *generate.Generator {
	t.Helper()
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	o.Tokenizer = tok
	g, err := generate.Open(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// all runs requests side by side and gives their results in the same order.
func all(t testing.TB, g *generate.Generator, requests []generate.Request) []generate.Result {
	t.Helper()
	results := make([]generate.Result, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Add(1)
		r.Done = func(got generate.Result) { results[i] = got; wg.Done() }
		if err := g.Do(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("request %d: %v", i, r.Err)
		}
	}
	return results
}

func greedy(goldens []expected) (requests []generate.Request) {
	for _, g := range goldens {
		requests = append(requests, generate.Request{Prompt: g.PromptIDs, Params: generate.Params{MaxNewTokens: 64}})
	}
	return requests
}

// The closest decisions are by 0.00025 and 0.0018 (rows 11 and 16), all others by 0.0126 and more; all come out alike here.
func TestGreedyEqualsTransformers(t *testing.T) {
	goldens := readGolden(t)
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		t.Run(precision, func(t *testing.T) {
			g := open(t, smolLM2(t, precision, ""), generate.Options{Slots: 16})
			check := func(how string, goldens []expected, results []generate.Result) {
				for i, want := range goldens {
					if !slices.Equal(results[i].IDs, want.IDs) || results[i].Text != want.Text {
						t.Errorf("%s, row %d:\nours   %v %q\ntheirs %v %q", how, want.ID, results[i].IDs, results[i].Text, want.IDs, want.Text)
					}
				}
			}
			check("in one batch", goldens, all(t, g, greedy(goldens)))
			mixed := slices.Clone(goldens)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			check("shuffled", mixed, all(t, g, greedy(mixed)))
			for _, one := range []expected{goldens[0], goldens[11], goldens[16]} {
				check("alone", []expected{one}, all(t, g, greedy([]expected{one})))
			}
		})
	}
}
