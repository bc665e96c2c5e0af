package trace_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/fetch"
	"textmill/models/generate"
	"textmill/models/session"
	"textmill/tokenize"
	"textmill/work/embedding"
	"textmill/work/generation"
	"textmill/work/trace"
)

// event is any of a trace's, read back from its JSON.
type event struct {
	Type      string      `json:"type"`
	Text      string      `json:"text"`
	Tokens    int         `json:"n_tokens"`
	Dropped   int         `json:"n_dropped"`
	Table     trace.Table `json:"embedding_table"`
	Index     int         `json:"index"`
	ID        int32       `json:"id"`
	Piece     string      `json:"piece"`
	Span      [2]int32    `json:"span"`
	Row       vector      `json:"embedding"`
	Pooling   string      `json:"pooling"`
	Normalize bool        `json:"normalize"`
	Kept      int         `json:"n_kept"`
	Finish    string      `json:"finish_reason"`
	New       int         `json:"n_output_tokens"`
	Output    string      `json:"output"`
	Found     []candidate `json:"candidates"`
	Highest   int         `json:"n_highest"`
	Rest      []*float64  `json:"rest"`
	Special   bool        `json:"special"`
	Bytes     [2]int32    `json:"byte_span"`
	Cosines   [][]float64 `json:"token_cosine"`
	Marks     []tokenize.Mark
	Sampling  *trace.Sampling
	vector    // of hidden and vector
}

type vector struct {
	Shape  []int     `json:"shape"`
	Norm   float64   `json:"norm"`
	Values []float64 `json:"values"`
}

type candidate struct {
	ID    int32    `json:"id"`
	Piece string   `json:"piece"`
	Logit float64  `json:"logit"`
	Adj   *float64 `json:"adjusted"`
	Prob  float64  `json:"prob"`
	Kept  bool     `json:"kept"`
	Score *float64 `json:"score"`
	After *float64 `json:"prob_after"`
}

// collect gathers events by their type, as their JSON says.
func collect(t *testing.T, run func(emit func(trace.Event) error) error) (map[string][]event, error) {
	t.Helper()
	all := map[string][]event{}
	err := run(func(e trace.Event) error {
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var one event
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		all[one.Type] = append(all[one.Type], one)
		return nil
	})
	return all, err
}

func home(t *testing.T) string {
	t.Helper()
	dir, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// imported is a bundle made of a default model's checkpoint.
func imported(t *testing.T, home string, model, file, precision string) *models.Spec {
	t.Helper()
	got, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, model)
	if err != nil {
		t.Fatal(err)
	}
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join(got.Path, file), Dir: t.TempDir(), Name: model, Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// smolLM2 is the real model to generate with: in fp32 the bundle that set-up imported.
func smolLM2(t *testing.T, home string, precision string) *models.Spec {
	t.Helper()
	const name = "SmolLM2-135M-Instruct"
	if precision != checkpoint.FP32 {
		return imported(t, home, name, name+".Q4_1.gguf", precision)
	}
	spec, err := models.OpenBundle(places.Model(home, name))
	if err != nil {
		t.Fatalf("%v: run textmill setup", err)
	}
	return spec
}

func openEmbedding(t *testing.T, home string, spec *models.Spec) trace.Embedding {
	t.Helper()
	embedder, err := embed.Open(t.Context(), spec, session.Options{Home: home, BatchTokens: 1024})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	e := embedding.New(embedding.Options{Spec: spec, Embedder: embedder, Tokenizer: tok})
	t.Cleanup(func() {
		e.Close()
		if err := embedder.Close(); err != nil {
			t.Error(err)
		}
	})
	return trace.Embedding{Spec: spec, Embedder: embedder, Engine: e, Tokenizer: tok}
}

func openGeneration(t *testing.T, home string, spec *models.Spec) trace.Generation {
	t.Helper()
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	template, _, err := generation.LoadTemplate(spec)
	if err != nil {
		t.Fatal(err)
	}
	g, err := generate.Open(t.Context(), spec, generate.Options{Session: session.Options{Home: home}, Tokenizer: tok})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	e := generation.New(generation.Options{Spec: g.Spec(), Generator: g, Tokenizer: tok, Template: template})
	return trace.Generation{Spec: spec, Device: g.Device(), Engine: e, Tokenizer: tok}
}

var everything = trace.Options{Top: 5, Values: 1 << 20}
