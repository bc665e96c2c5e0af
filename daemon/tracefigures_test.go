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

// traceFigures holds what is answered over HTTP to what independent scripts have of the texts.
func traceFigures(t *testing.T, events func(url.Values) string) {
	t.Helper()
	rows := golden.Values[map[string]golden.Rows](t, "../work/trace/testdata/rows.json.gz")[0]
	states := golden.Values[golden.States](t, "../work/trace/testdata/states.json.gz")[0]
	steps := golden.Values[golden.Scored](t, "../models/generate/testdata/top5.jsonl.gz")[0]

	all := readTrace(t, events(url.Values{"model": {model}, "text": {states.Texts[0]}, "other": {states.Texts[1]}}))
	figuresOfRows(t, all["token"], rows[model])
	n := len(states.Norms[0])
	for i, e := range all["hidden"] {
		side, at := i/n, i%n
		if i >= n {
			side, at = 1, i-n
		}
		golden.Near(t, "norm of a hidden state", e.Norm, states.Norms[side][at], 2e-4)
	}
	for i, e := range all["similarity"] {
		golden.Cosines(t, e.Tokens, states.Similarity[i])
	}
	for i, e := range all["vector"] {
		golden.Near(t, "norm of a vector", e.Norm, states.VectorNorms[i], 1e-4)
	}
	if len(all["vector"]) != 2 || len(all["similarity"]) != 2 || len(all["pair"]) != 1 {
		t.Fatalf("%d vectors, %d similarities, %d pairs of two texts", len(all["vector"]), len(all["similarity"]), len(all["pair"]))
	}
	golden.Near(t, "cosine of two texts", all["pair"][0].Cosine, states.Cosine, 1e-5)
	golden.Cosines(t, all["pair"][0].Tokens, states.Pair)

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
			golden.Near(t, "logit", got.Found[j].Logit, want.Logits[j], 2e-4)
			golden.Near(t, "probability", got.Found[j].Prob, math.Exp(want.Logits[j]-want.Sum), 1e-4)
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
func figuresOfRows(t *testing.T, got []tracedEvent, want golden.Rows) {
	t.Helper()
	if len(got) < len(want.IDs) {
		t.Fatalf("%d tokens, want %d", len(got), len(want.IDs))
	}
	for i, id := range want.IDs {
		e := got[i]
		if e.ID != id || len(e.Row.Shape) != 1 || e.Row.Shape[0] != want.Shape[1] || len(e.Row.Values) != 32 {
			t.Fatalf("token %d: %+v, want id %d", i, e, id)
		}
		golden.Near(t, "norm of a row", e.Row.Norm, want.Norms[i], 1e-6)
		for j, v := range e.Row.Values {
			golden.Near(t, "value of a row", v, want.Rows[fmt.Sprint(id)][j], 1e-6)
		}
	}
}
