package daemon

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"

	"textmill/internal/golden"
)

// tracedEvent is any of a trace's.
type tracedEvent struct {
	Type   string `json:"type"`
	ID     int32  `json:"id"`
	Piece  string `json:"piece"`
	Row    tracedVector
	Found  []tracedCandidate `json:"candidates"`
	Cosine float64           `json:"cosine"`
	Tokens [][]float64       `json:"token_cosine"`
	tracedVector
}

type tracedVector struct {
	Shape  []int     `json:"shape"`
	Norm   float64   `json:"norm"`
	Values []float64 `json:"values"`
}

type tracedCandidate struct {
	ID    int32   `json:"id"`
	Logit float64 `json:"logit"`
	Prob  float64 `json:"prob"`
}

// UnmarshalJSON reads what goes by another name in the embedded vector.
func (e *tracedEvent) UnmarshalJSON(raw []byte) error {
	type plain tracedEvent
	var row struct {
		Row tracedVector `json:"embedding"`
	}
	if err := json.Unmarshal(raw, (*plain)(e)); err != nil {
		return err
	}
	err := json.Unmarshal(raw, &row)
	e.Row = row.Row
	return err
}

// figures are what independent scripts have of the texts: work/trace/testdata/golden.py and states.py, and transformers'
// best tokens.
type (
	goldenRows struct {
		IDs   []int32              `json:"input_ids"`
		Shape [2]int               `json:"shape"`
		Rows  map[string][]float64 `json:"rows"`
		Norms []float64            `json:"norms"`
	}
	goldenStates struct {
		Texts       []string      `json:"texts"`
		Norms       [][]float64   `json:"norms"`
		Similarity  [][][]float64 `json:"similarity"`
		Pair        [][]float64   `json:"pair"`
		VectorNorms []float64     `json:"vector_norms"`
		Cosine      float64       `json:"cosine"`
	}
	goldenSteps struct {
		Steps []struct {
			Chosen int32     `json:"chosen"`
			IDs    []int32   `json:"top_ids"`
			Logits []float64 `json:"top_logits"`
			Sum    float64   `json:"logsumexp"`
		} `json:"steps"`
	}
)

// traceFigures holds what is answered over HTTP to those scripts.
func traceFigures(t *testing.T, events func(url.Values) string) {
	t.Helper()
	rows := golden.Values[map[string]goldenRows](t, "../work/trace/testdata/rows.json.gz")[0]
	states := golden.Values[goldenStates](t, "../work/trace/testdata/states.json.gz")[0]
	steps := golden.Values[goldenSteps](t, "../models/generate/testdata/top5.jsonl.gz")[0]

	all := readTrace(t, events(url.Values{"model": {model}, "text": {states.Texts[0]}, "other": {states.Texts[1]}}))
	figuresOfRows(t, all["token"], rows[model])
	n := len(states.Norms[0])
	for i, e := range all["hidden"] {
		side, at := i/n, i%n
		if i >= n {
			side, at = 1, i-n
		}
		figure(t, "norm of a hidden state", e.Norm, states.Norms[side][at], 2e-4)
	}
	for i, e := range all["similarity"] {
		figuresOfCosines(t, e.Tokens, states.Similarity[i])
	}
	for i, e := range all["vector"] {
		figure(t, "norm of a vector", e.Norm, states.VectorNorms[i], 1e-4)
	}
	if len(all["vector"]) != 2 || len(all["similarity"]) != 2 || len(all["pair"]) != 1 {
		t.Fatalf("%d vectors, %d similarities, %d pairs of two texts", len(all["vector"]), len(all["similarity"]), len(all["pair"]))
	}
	figure(t, "cosine of two texts", all["pair"][0].Cosine, states.Cosine, 1e-5)
	figuresOfCosines(t, all["pair"][0].Tokens, states.Pair)

	const writer = "SmolLM2-135M-Instruct"
	all = readTrace(t, events(url.Values{"model": {writer}, "text": {"What is the capital of France?"}, "chat": {"true"}}))
	figuresOfRows(t, all["token"], rows[writer])
	if len(all["step"]) != len(steps.Steps) {
		t.Fatalf("%d steps, want %d", len(all["step"]), len(steps.Steps))
	}
	for i, want := range steps.Steps {
		got := all["step"][i]
		if got.ID != want.Chosen || len(got.Found) < 50 {
			t.Fatalf("step %d: token %d of %d candidates, want %d", i, got.ID, len(got.Found), want.Chosen)
		}
		for j, id := range want.IDs {
			if got.Found[j].ID != id {
				t.Errorf("step %d: candidate %d is %d, want %d", i, j, got.Found[j].ID, id)
			}
			figure(t, "logit", got.Found[j].Logit, want.Logits[j], 2e-4)
			figure(t, "probability", got.Found[j].Prob, math.Exp(want.Logits[j]-want.Sum), 1e-4)
		}
	}
}

func readTrace(t *testing.T, body string) map[string][]tracedEvent {
	t.Helper()
	all := map[string][]tracedEvent{}
	for line := range strings.Lines(body) {
		var e tracedEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		all[e.Type] = append(all[e.Type], e)
	}
	return all
}

// figuresOfRows compares as many tokens as the script has.
func figuresOfRows(t *testing.T, got []tracedEvent, want goldenRows) {
	t.Helper()
	if len(got) < len(want.IDs) {
		t.Fatalf("%d tokens, want %d", len(got), len(want.IDs))
	}
	for i, id := range want.IDs {
		e := got[i]
		if e.ID != id || len(e.Row.Shape) != 1 || e.Row.Shape[0] != want.Shape[1] || len(e.Row.Values) != 32 {
			t.Fatalf("token %d: %+v, want id %d", i, e, id)
		}
		figure(t, "norm of a row", e.Row.Norm, want.Norms[i], 1e-6)
		for j, v := range e.Row.Values {
			figure(t, "value of a row", v, want.Rows[fmt.Sprint(id)][j], 1e-6)
		}
	}
}

func figuresOfCosines(t *testing.T, got, want [][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows of cosines, want %d", len(got), len(want))
	}
	for i := range want {
		for j, c := range want[i] {
			figure(t, "cosine", got[i][j], c, 2e-5)
		}
	}
}

func figure(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
