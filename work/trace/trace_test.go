package trace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"textmill/internal/golden"
	"textmill/jobs"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/work/trace"
)

// compareRows holds each token's ID, row and norm to what the weights themselves say.
func compareRows(t *testing.T, got map[string][]event, want golden.Rows) {
	t.Helper()
	if table := got["start"][0].Table; table.Shape != want.Shape {
		t.Errorf("table %+v, want shape %v", table, want.Shape)
	}
	if len(got["token"]) != len(want.IDs) {
		t.Fatalf("%d tokens, want %d", len(got["token"]), len(want.IDs))
	}
	for i, e := range got["token"] {
		if e.Index != i || e.ID != want.IDs[i] || !reflect.DeepEqual(e.Row.Shape, want.Shape[1:]) {
			t.Fatalf("token %d: %d of id %d with a row of %v, want id %d and %v", i, e.Index, e.ID, e.Row.Shape, want.IDs[i], want.Shape[1:])
		}
		if want.Pieces != nil && (e.Piece != want.Pieces[i] || e.Span != want.Spans[i]) {
			t.Errorf("token %d: %q at %v, want %q at %v", i, e.Piece, e.Span, want.Pieces[i], want.Spans[i])
		}
		if d := math.Abs(e.Row.Norm - want.Norms[i]); !(d <= 1e-6) {
			t.Errorf("token %d: norm %v, want %v", i, e.Row.Norm, want.Norms[i])
		}
		row := want.Rows[fmt.Sprint(e.ID)]
		if len(row) != len(e.Row.Values) {
			t.Fatalf("token %d: %d values, want %d", i, len(e.Row.Values), len(row))
		}
		for j, v := range e.Row.Values {
			if d := math.Abs(v - row[j]); !(d <= 1e-6) {
				t.Fatalf("token %d, value %d: %v, want %v", i, j, v, row[j])
			}
		}
	}
}

func goldenRows(t *testing.T, model string) golden.Rows {
	t.Helper()
	return golden.Values[map[string]golden.Rows](t, "testdata/rows.json.gz")[0][model]
}

func TestEmbeddingTrace(t *testing.T) {
	home := home(t)
	const model, text = "all-MiniLM-L6-v2", "Tokenizers are fun"
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		t.Run(precision, func(t *testing.T) {
			m := openEmbedding(t, home, imported(t, home, model, "", precision))
			got, err := collect(t, func(emit func(trace.Event) error) error {
				return m.Trace(t.Context(), jobs.Record{Text: text}, nil, everything, emit)
			})
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, got, goldenRows(t, model))
			compareVector(t, got, m)
		})
	}
}

// compareVector holds the vector to the mean of the hidden states, and to what the embedder gives to those who do not look.
func compareVector(t *testing.T, got map[string][]event, m trace.Embedding) {
	t.Helper()
	v := got["vector"][0]
	if v.Pooling != "mean" || !v.Normalize || len(got["hidden"]) != 7 || v.vector.Shape[0] != 384 {
		t.Fatalf("%+v over %d tokens", v, len(got["hidden"]))
	}
	own, err := m.Embedder.Embed(t.Context(), []embed.Row{{IDs: []int32{101, 19204, 17629, 2015, 2024, 4569, 102}}})
	if err != nil {
		t.Fatal(err)
	}
	var norm float64
	for i, f := range own[0] {
		var mean float64
		for _, h := range got["hidden"] {
			mean += h.vector.Values[i] / 7
		}
		if d := math.Abs(mean - float64(f)); !(d <= 1e-5) {
			t.Fatalf("value %d: the mean of the hidden states is %v, the embedder has %v", i, mean, f)
		}
		norm += float64(f) * float64(f)
	}
	norm = math.Sqrt(norm)
	if d := math.Abs(v.vector.Norm - norm); !(d <= 1e-4) {
		t.Errorf("norm %v, want %v", v.vector.Norm, norm)
	}
	for i, f := range own[0] {
		if d := math.Abs(v.vector.Values[i] - float64(f)/norm); !(d <= 1e-6) {
			t.Fatalf("value %d: %v, want %v", i, v.vector.Values[i], float64(f)/norm)
		}
	}
	for _, h := range got["hidden"] {
		var sum float64
		for _, f := range h.vector.Values {
			sum += f * f
		}
		if d := math.Abs(h.vector.Norm - math.Sqrt(sum)); !(d <= 1e-4) {
			t.Errorf("token %d: norm %v of a hidden state of length %v", h.Index, h.vector.Norm, math.Sqrt(sum))
		}
	}
}

// conversation is a prompt by its messages.
type conversation struct {
	ID       int             `json:"id"`
	Messages json.RawMessage `json:"messages"`
}

func TestGenerationTrace(t *testing.T) {
	home := home(t)
	const model = "SmolLM2-135M-Instruct"
	conversations := map[int]conversation{}
	for _, c := range golden.Values[conversation](t, "../../models/generate/testdata/greedy.jsonl.gz") {
		conversations[c.ID] = c
	}
	table := goldenRows(t, model)
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		t.Run(precision, func(t *testing.T) {
			m := openGeneration(t, home, smolLM2(t, home, precision))
			for i, line := range golden.Values[golden.Scored](t, "../../models/generate/testdata/top5.jsonl.gz") {
				if steps := 12; precision != checkpoint.FP32 && len(line.Steps) > steps { // whole texts once
					line.Steps = line.Steps[:steps]
				}
				c := conversations[line.ID]
				r := jobs.Record{Text: m.Tokenizer.Decode(line.IDs, false)}
				if c.Messages != nil { // else the words that the template put there are all that is known
					r = jobs.ParseRecord([]byte(`{"messages":` + string(c.Messages) + `}`))
				}
				params := fmt.Sprintf(`{"max_new_tokens":%d}`, len(line.Steps))
				got, err := collect(t, func(emit func(trace.Event) error) error {
					return m.Trace(t.Context(), r, []byte(params), everything, emit)
				})
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					compareRows(t, got, table)
				}
				compareSteps(t, got, line)
			}
		})
	}
}

func compareSteps(t *testing.T, got map[string][]event, line golden.Scored) {
	t.Helper()
	if len(got["step"]) != len(line.Steps) {
		t.Fatalf("prompt %d: %d steps, want %d", line.ID, len(got["step"]), len(line.Steps))
	}
	for i, e := range got["step"] {
		want := line.Steps[i]
		if e.ID != want.Chosen || e.Kept != 1 || len(e.Found) != len(want.IDs) || e.Row.Shape[0] != 576 {
			t.Fatalf("prompt %d, step %d: %+v, want %d", line.ID, i, e, want.Chosen)
		}
		for j, f := range e.Found {
			prob := math.Exp(want.Logits[j] - want.Sum)
			if f.ID != want.IDs[j] || !(math.Abs(f.Logit-want.Logits[j]) <= 2e-4) || !(math.Abs(f.Prob-prob) <= 1e-4) {
				t.Errorf("prompt %d, step %d: candidate %+v, want id %d, logit %v, probability %v", line.ID, i, f, want.IDs[j], want.Logits[j], prob)
			}
			if f.Kept != (f.ID == e.ID) || f.Kept && *f.After != 1 || !f.Kept && f.After != nil {
				t.Errorf("prompt %d, step %d: candidate %+v when %d is picked greedily", line.ID, i, f, e.ID)
			}
		}
	}
	for i, e := range got["token"] {
		if e.ID != line.IDs[i] {
			t.Fatalf("prompt %d, token %d: id %d, want %d", line.ID, i, e.ID, line.IDs[i])
		}
	}
	finish := "length"
	if line.Steps[len(line.Steps)-1].Chosen == 2 {
		finish = "eos"
	}
	if end := got["end"][0]; end.Finish != finish || end.New != len(line.Steps) || got["start"][0].Tokens != len(line.IDs) {
		t.Errorf("prompt %d: %+v, want %s", line.ID, end, finish)
	}
}

// TestSampledTrace has temperature and filters at work, and a stop string.
func TestSampledTrace(t *testing.T) {
	home := home(t)
	m := openGeneration(t, home, smolLM2(t, home, checkpoint.FP32))
	var start trace.Start
	trace1 := func(params string) (map[string][]event, error) {
		return collect(t, func(emit func(trace.Event) error) error {
			o := trace.Options{Top: 8, Values: 2, Temperatures: []float64{0.4, 1}}
			return m.Trace(t.Context(), jobs.Record{Text: "The sky is"}, []byte(params), o, func(e trace.Event) error {
				if s, ok := e.(trace.Start); ok {
					start = s
				}
				return emit(e)
			})
		})
	}
	got, err := trace1(`{"temperature":0.5,"top_k":3,"seed":7,"max_new_tokens":6}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got["step"] {
		var kept int
		var sum, ratio float64
		picked := false
		for _, f := range e.Found {
			if !f.Kept {
				continue
			}
			kept++
			sum += *f.After
			picked = picked || f.ID == e.ID
			ratio = math.Max(ratio, math.Abs(*f.Score-*f.Adj/0.5))
		}
		compareRest(t, e)
		if e.Kept != 3 || kept != 3 || !picked || math.Abs(sum-1) > 1e-6 || ratio > 1e-4 || len(e.Row.Values) != 2 {
			t.Errorf("step of id %d, picked of %d: %d kept, their probabilities sum to %v", e.ID, e.Kept, kept, sum)
		}
	}
	if end := got["end"][0]; end.Finish != "length" || end.New != 6 || end.Output == "" {
		t.Errorf("%+v", end)
	}
	for id, want := range map[int32]string{816: "–", 1666: "", 459: "a part of a character", 2756: "é", 198: ""} {
		if says := start.Says(id); says != want {
			t.Errorf("token %d says %q, want %q", id, says, want)
		}
	}
	sampling := trace.Sampling{Temperature: 0.5, TopK: 3, Seed: 7, MaxNewTokens: 6, Temperatures: []float64{0.4, 0.5, 1}}
	if s := got["start"][0].Sampling; s == nil || !reflect.DeepEqual(*s, sampling) {
		t.Errorf("sampling %+v, want %+v", s, sampling)
	}
	got, err = trace1(`{"stop":[" "],"max_new_tokens":6}`)
	if err != nil || got["end"][0].Finish != "stop" {
		t.Errorf("with a stop string: %+v, %v", got["end"], err)
	}
	for params, class := range map[string]string{`{"n":2}`: jobs.InvalidParam} {
		var failure *jobs.RecordError
		if _, err := trace1(params); !errors.As(err, &failure) || failure.Class != class {
			t.Errorf("%s: %v", params, err)
		}
	}
	_, err = collect(t, func(emit func(trace.Event) error) error {
		return m.Trace(t.Context(), jobs.Record{}, nil, everything, emit)
	})
	if err == nil || !strings.Contains(err.Error(), "no tokens") {
		t.Errorf("an empty prompt: %v", err)
	}
}

func TestTextCannotSteerATerminal(t *testing.T) {
	var out bytes.Buffer
	w := trace.NewText(&out, false)
	for _, e := range []trace.Event{
		trace.Start{Model: "m", Text: "a\x1b[2Jb\x00"},
		trace.Token{Piece: "\x1b[2J\x07\u202e", Span: [2]int32{0, 4}},
		trace.Step{Piece: "\x1b]0;x\x07", Text: "\x1b[31m", Row: trace.Values{Shape: []int{1}}, Candidates: []trace.Candidate{{Piece: "\r\n\x9b"}}},
		trace.End{Finish: "eos", Text: "\x1b"},
	} {
		if err := w.Emit(e); err != nil {
			t.Fatal(err)
		}
	}
	if i := strings.IndexAny(out.String(), "\x00\x07\x1b\r\u009b\u202e"); i >= 0 {
		t.Errorf("control characters at %d:\n%q", i, out.String())
	}
}
