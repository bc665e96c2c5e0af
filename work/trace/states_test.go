package trace_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/jobs"
	"textmill/models"
	"textmill/work/trace"
)

// Hidden states, the cosines of tokens and those of two texts are transformers' and sentence-transformers' own.
func TestStatesAreTransformers(t *testing.T) {
	want := golden.Values[golden.States](t, "testdata/states.json.gz")[0]
	home := home(t)
	spec, err := models.OpenBundle(places.Model(home, "all-MiniLM-L6-v2"))
	if err != nil {
		t.Fatalf("%v: run textmill setup", err)
	}
	m := openEmbedding(t, home, spec)
	seen := make([][]trace.Event, 2)
	for i, text := range want.Texts {
		got, err := collect(t, func(emit func(trace.Event) error) error {
			return m.Trace(t.Context(), jobs.Record{Text: text}, nil, trace.Options{Values: 8, Similar: 16}, func(e trace.Event) error {
				seen[i] = append(seen[i], e)
				return emit(e)
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for j, h := range got["hidden"] {
			golden.Near(t, "norm of a hidden state", h.Norm, want.Norms[i][j], 2e-4)
			for k, v := range h.Values {
				golden.Near(t, "value of a hidden state", v, want.First[i][j][k], 5e-5)
			}
		}
		if e := got["similarity"][0]; !reflect.DeepEqual(e.Shape, []int{len(want.IDs[i]), len(want.IDs[i])}) {
			t.Errorf("similarity of shape %v", e.Shape)
		}
		golden.Cosines(t, got["similarity"][0].Cosines, want.Similarity[i])
		golden.Near(t, "norm of the vector", got["vector"][0].Norm, want.VectorNorms[i], 1e-4)
		for j, e := range got["token"] {
			if piece := text[e.Bytes[0]:e.Bytes[1]]; e.ID != want.IDs[i][j] || piece != string([]rune(text)[e.Span[0]:e.Span[1]]) {
				t.Errorf("token %d, id %d, covers bytes %v %q, characters %v", j, e.ID, e.Bytes, piece, e.Span)
			}
			if e.Special != (e.ID == 101 || e.ID == 102 || e.ID == 100) {
				t.Errorf("token %d, id %d: special %v", j, e.ID, e.Special)
			}
		}
		if marks := got["start"][0].Marks; len(marks) != 1 || marks[0].Mark != "##" {
			t.Errorf("marks %v", marks)
		}
	}
	pair, ok := trace.PairOf(seen[0], seen[1], 16)
	if !ok {
		t.Fatal("two texts do not compare")
	}
	golden.Near(t, "cosine of the texts", float64(pair.Cosine), want.Cosine, 1e-5)
	var read event
	if raw, err := json.Marshal(pair); err != nil || json.Unmarshal(raw, &read) != nil {
		t.Fatal(err)
	}
	golden.Cosines(t, read.Cosines, want.Pair)
	if pair, ok := trace.PairOf(seen[0], seen[1], 8); !ok || pair.Tokens != nil {
		t.Errorf("of texts that are too long each token is compared: %+v", pair)
	}
	if _, ok := trace.PairOf(seen[0], seen[1][:3], 8); ok {
		t.Error("a text without a vector is compared")
	}
}

// compareRest sees that what is told of the other tokens makes a whole of the candidates' probabilities, at temperature 1
// without penalties.
func compareRest(t *testing.T, e event) {
	t.Helper()
	if len(e.Rest) != 3 || e.Highest != 8 || e.Rest[2] == nil {
		t.Fatalf("%d highest scores, rest %v", e.Highest, e.Rest)
	}
	var listed float64
	for _, f := range e.Found {
		if listed += f.Prob; f.Adj == nil || *f.Adj != f.Logit {
			t.Errorf("candidate %+v is adjusted though nothing is asked for", f)
		}
	}
	lse := e.Found[0].Logit - math.Log(e.Found[0].Prob)
	golden.Near(t, "what the others weigh", math.Exp(*e.Rest[2]-lse), 1-listed, 1e-6)
}
