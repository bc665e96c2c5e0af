package generation

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/input"
	"textmill/internal/golden"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/generate"
	"textmill/models/sample"
)

// tiny is the checkpoint that testdata/golden.py asks transformers about.
const tiny = "../../models/checkpoint/testdata/tiny/llama"

// asked is what testdata/golden.py asked transformers, and its answer.
type asked struct {
	Logits  [][]float32     // of the first line, step by step
	File    json.RawMessage // generation_config.json
	Request json.RawMessage // a request's params
	Prompt  []int32
	Steps   []struct {
		IDs    []int32 // that are left
		Scores []float64
	}
	IDs   []int32 // of a whole text
	Text  string
	Stops []string
}

func (a *asked) params(t *testing.T, vocab int) generate.Params {
	t.Helper()
	own, err := models.ParseGeneration(models.GenerationName, a.File, vocab)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jobs.ParseGenerateParams(a.Request)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{Spec: &models.Spec{Generation: own, Decoder: &models.Decoder{VocabSize: vocab}}})
	r, err := e.request(p, len(a.Prompt))
	if err != nil {
		t.Fatal(err)
	}
	r.Params.EOS, r.Params.MaxNewTokens = own.EOS, r.MaxNewTokens // as a generator has it
	return r
}

// What a file and a request come to together keeps the tokens that transformers keeps, step by step, with its scores.
func TestEachStepIsTransformers(t *testing.T) {
	cases := golden.Values[asked](t, "testdata/steps.jsonl.gz")
	logits := cases[0].Logits
	if cases = cases[1:]; len(cases) < 70 {
		t.Fatalf("%d cases", len(cases))
	}
	scratch := sample.NewScratch(len(logits[0]))
	for _, c := range cases {
		t.Run(string(c.File)+string(c.Request), func(t *testing.T) {
			p := c.params(t, len(logits[0]))
			if p.MaxNewTokens < len(c.Steps) {
				t.Fatalf("the text ends after %d tokens, transformers' goes on", p.MaxNewTokens)
			}
			sampler := sample.New(p.Params, c.Prompt, len(logits[0]))
			for i, want := range c.Steps {
				kept, err := sampler.Distribution(scratch, logits[i])
				if err != nil {
					t.Fatal(err)
				}
				best := kept[0].ID
				slices.SortFunc(kept, func(a, b sample.Kept) int { return cmp.Compare(a.ID, b.ID) })
				var ids []int32
				for j, k := range kept {
					ids = append(ids, k.ID)
					if j < len(want.Scores) && k.ID == want.IDs[j] && math.Abs(float64(k.Score)-want.Scores[j]) > 1e-5*math.Abs(want.Scores[j]) {
						t.Errorf("step %d: token %d scores %v, transformers says %v", i, k.ID, k.Score, want.Scores[j])
					}
				}
				if !slices.Equal(ids, want.IDs) {
					t.Fatalf("step %d keeps %v, transformers %v", i, ids, want.IDs)
				}
				// transformers' text went on with the likeliest.
				only := slices.Repeat([]float32{float32(math.Inf(-1))}, len(logits[i]))
				only[best] = 0
				if next, err := sampler.Next(scratch, only); err != nil || i+1 < len(c.Steps) && next.ID != best {
					t.Fatalf("step %d goes on with %d, %v", i, next.ID, err)
				}
			}
		})
	}
}

// Texts of a real model are transformers' with every key that changes them. They end before a stop string, where transformers'
// end with it.
func TestTextsAreTransformers(t *testing.T) {
	cases := golden.Values[asked](t, "testdata/texts.jsonl.gz")
	if len(cases) < 30 {
		t.Fatalf("%d cases", len(cases))
	}
	source := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(source, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	tokenizer, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "tokenizer.json"), tokenizer, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("processor", func(t *testing.T) { textsAreTransformers(t, source, cases, models.OpenBundle) })
	// With the graph for a card, in fp16, over memory that is bound, as a card has it, here on the processor.
	t.Run("device", func(t *testing.T) {
		textsAreTransformers(t, source, cases, func(dir string) (*models.Spec, error) {
			return checkpoint.Card(t.Context(), dir, checkpoint.CardOptions{Precision: models.FP16})
		})
	})
}

func textsAreTransformers(t *testing.T, source string, cases []asked, bundle func(dir string) (*models.Spec, error)) {
	var g *generate.Generator
	var file string
	for _, c := range cases {
		if file != string(c.File) {
			file = string(c.File)
			g = openTiny(t, source, c.File, bundle)
		}
		done := make(chan generate.Result, 1)
		if err := g.Do(t.Context(), generate.Request{Prompt: c.Prompt, Params: c.params(t, 64), Done: func(r generate.Result) { done <- r }}); err != nil {
			t.Fatal(err)
		}
		r := <-done
		text, finish := c.Text, ""
		for _, stop := range c.Stops {
			if at := strings.Index(text, stop); at >= 0 {
				text, finish = text[:at], generate.FinishStop
			}
		}
		if r.Err != nil || !slices.Equal(r.IDs, c.IDs) || r.Text != text || finish != "" && r.Finish != finish {
			t.Errorf("%s %s: %v %q (%s, %v)\ntransformers has %v %q", c.File, c.Request, r.IDs, r.Text, r.Finish, r.Err, c.IDs, c.Text)
		}
	}
}

func openTiny(t *testing.T, source string, config []byte, bundle func(dir string) (*models.Spec, error)) *generate.Generator {
	t.Helper()
	if err := os.WriteFile(filepath.Join(source, models.GenerationName), config, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := bundle(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generate.Open(t.Context(), spec, generate.Options{Tokenizer: tok, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// OpenAI's lines go by the same rule as every request: the file's filters, then transformers' defaults.
func TestOpenAILinesKeepTheModelsFilters(t *testing.T) {
	own, err := models.ParseGeneration(models.GenerationName, []byte(`{"top_p":0.6,"temperature":0.9,"stop_strings":"END"}`), 64)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{Spec: &models.Spec{Generation: own, Decoder: &models.Decoder{VocabSize: 64}}})
	for fields, want := range map[string]sample.Params{
		`"max_tokens":3`:                  {Temperature: 0, TopK: 50, TopP: 0.6},
		`"temperature":5`:                 {Temperature: 5, TopK: 50, TopP: 0.6},
		`"temperature":1,"top_k":0`:       {Temperature: 1, TopK: 0, TopP: 0.6},
		`"temperature":1,"top_p":1`:       {Temperature: 1, TopK: 50, TopP: 1},
		`"do_sample":true,"max_tokens":3`: {Temperature: 0.9, TopK: 50, TopP: 0.6},
	} {
		path := filepath.Join(t.TempDir(), "batch.jsonl")
		line := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"x"}],` + fields + `}}` + "\n"
		if err := os.WriteFile(path, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := input.Open(path, input.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var it input.Item
		if err := r.Next(&it); err != nil || it.Record.Err != nil {
			t.Fatal(err, it.Record.Err)
		}
		p, err := jobs.ParseGenerateParams(it.Record.Params)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.request(p, 5)
		if err != nil || got.Temperature != want.Temperature || got.TopK != want.TopK || got.TopP != want.TopP || !slices.Equal(got.Stop, []string{"END"}) {
			t.Errorf("%s: %+v, %v", fields, got.Params, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A prompt that is as long as the file lets prompt and text be together is an error row, unless the request says how long.
func TestMaxLengthLeavesNoRoom(t *testing.T) {
	e := New(Options{Spec: &models.Spec{Generation: models.Generation{MaxLength: 5}, Decoder: &models.Decoder{VocabSize: 64}}})
	if r, err := e.request(jobs.GenerateParams{}, 3); err != nil || r.MaxNewTokens != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	var bad *jobs.RecordError
	if _, err := e.request(jobs.GenerateParams{}, 5); !errors.As(err, &bad) || bad.Class != jobs.NoRoom || !strings.Contains(bad.Message, "max_length") {
		t.Errorf("%v", err)
	}
	if r, err := e.request(jobs.GenerateParams{MaxNewTokens: 7}, 5); err != nil || r.MaxNewTokens != 7 {
		t.Errorf("%+v, %v", r, err)
	}
}
