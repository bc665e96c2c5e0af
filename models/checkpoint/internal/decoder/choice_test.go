package decoder

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/ground/places"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/onnx"
)

func session(t *testing.T, g *onnxgraph.Graph, inputs, outputs []string) *ort.DynamicAdvancedSession {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Load(places.Library(home)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "graph.onnx")
	if err := g.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	s, err := ort.NewDynamicAdvancedSession(path, inputs, outputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Destroy() })
	return s
}

func values[T ort.TensorData](t *testing.T, data []T, dims ...int64) ort.Value {
	t.Helper()
	v, err := ort.NewTensor(dims, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Destroy() })
	return v
}

// Of equals the lowest id is chosen, and none at all, which is vocab, where a number is none.
func TestTokenIsTheLowestOfTheLikeliest(t *testing.T) {
	const vocab, hidden = 300, 4
	b := &builder{Graph: weights.NewGraph("choose", weights.Floats), m: &Model{Config: &Config{VocabSize: vocab}}}
	given := b.Input("given", onnxgraph.Float32, "logits", vocab)
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Identity"), []string{given})
	b.Output(Token, onnxgraph.Int64, "logits")
	b.choose(b.Input("hidden", onnxgraph.Float32, "logits", hidden))
	s := session(t, b.Graph.Graph, []string{"given", "hidden"}, []string{Token})
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	cases := []struct {
		set    map[int]float32
		hidden float32
		want   int64
	}{
		{map[int]float32{7: 3, 250: 3, 299: 3}, 1, 7},
		{map[int]float32{0: 3, 299: 3}, 1, 0},
		{map[int]float32{299: 3}, 1, 299},
		{map[int]float32{5: -inf}, 1, 0},
		{map[int]float32{4: inf}, 1, vocab},
		{map[int]float32{4: 2}, nan, vocab},
		{map[int]float32{4: 2}, inf, vocab},
	}
	n := int64(len(cases))
	logits, rows, tokens := make([]float32, vocab*n), make([]float32, hidden*n), make([]int64, n)
	for i, c := range cases {
		for id, v := range c.set {
			logits[i*vocab+id] = v
		}
		rows[i*hidden+1] = c.hidden
	}
	if err := s.Run([]ort.Value{values(t, logits, n, vocab), values(t, rows, n, hidden)}, []ort.Value{values(t, tokens, n)}); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if tokens[i] != c.want {
			t.Errorf("%v with a hidden %v: token %d, want %d", c.set, c.hidden, tokens[i], c.want)
		}
	}
}

// The greatest logits come in falling order, of equals the lowest id first, and the sums are those of plain arithmetic.
func TestChoiceGivesTheGreatestAndTheSums(t *testing.T) {
	const vocab, k, rows = 1000, 64, 5
	s := session(t, ChoiceGraph(vocab, k), []string{Logits, Temperature}, []string{TopLogits, TopIDs, LogSum, LogSumAt})
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, rows*vocab)
	for i := range logits {
		logits[i] = float32(math.Round(r.NormFloat64()*80)) / 8 // many are equal
	}
	temperatures := []float32{1, 0.5, 0.05, 1.7, 10}
	top, ids := make([]float32, rows*k), make([]int32, rows*k)
	sum, sumAt := make([]float32, rows), make([]float32, rows)
	if err := s.Run([]ort.Value{values(t, logits, rows, vocab), values(t, temperatures, rows)}, []ort.Value{values(t, top, rows, k),
		values(t, ids, rows, k), values(t, sum, rows), values(t, sumAt, rows)}); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		row := logits[i*vocab : (i+1)*vocab]
		order := make([]int32, vocab)
		for j := range order {
			order[j] = int32(j)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return int(8 * (row[b] - row[a])) })
		for j := range k {
			if ids[i*k+j] != order[j] || top[i*k+j] != row[order[j]] {
				t.Fatalf("row %d, place %d: token %d of %v, want %d of %v", i, j, ids[i*k+j], top[i*k+j], order[j], row[order[j]])
			}
		}
		for how, c := range map[string]struct{ got, temperature float32 }{LogSum: {sum[i], 1}, LogSumAt: {sumAt[i], temperatures[i]}} {
			all := 0.0
			for _, v := range row {
				all += math.Exp(float64(v-row[order[0]]) / float64(c.temperature))
			}
			want := math.Log(all) + float64(row[order[0]]/c.temperature)
			if d := math.Abs(float64(c.got) - want); !(d <= 4e-7*math.Abs(want)+1e-6) {
				t.Errorf("row %d: %s %v, want %v", i, how, c.got, want)
			}
		}
	}
}
