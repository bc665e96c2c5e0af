package checkpoint_test

import (
	"math"
	"path/filepath"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// A referenceRow is one of testdata/tiny/*/reference.json, which testdata/reference.py makes.
type referenceRow struct {
	IDs    []int64     `json:"input_ids"`
	Values [][]float32 `json:"values"`
	Greedy []int64     `json:"greedy"` // what a decoder goes on with
}

func readReference(t *testing.T, name string) []referenceRow {
	t.Helper()
	var rows []referenceRow
	readJSON(t, filepath.Join("testdata", "tiny", name, "reference.json"), &rows)
	return rows
}

func importTiny(t *testing.T, name, precision string) checkpoint.Result {
	t.Helper()
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join("testdata", "tiny", name), Dir: t.TempDir(), Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openBundle opens what an import made.
func openBundle(t *testing.T, dir string) *models.Spec {
	t.Helper()
	spec, err := models.OpenBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// openEmbedder opens a model to embed, in a home of its own unless o names one: nothing is known of it there.
func openEmbedder(t *testing.T, spec *models.Spec, o session.Options) *embed.Embedder {
	t.Helper()
	if o.Home == "" {
		home, err := places.Home()
		if err != nil {
			t.Fatal(err)
		}
		o.Home, o.Library = t.TempDir(), places.Library(home)
	}
	e, err := embed.Open(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// far is the greatest difference of two vectors.
func far(a, b []float32) (d float64) {
	a = a[:len(b)]
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

func TestDecodersComputeWhatTransformersDoes(t *testing.T) {
	for _, name := range provedBy("logits") {
		t.Run(name, func(t *testing.T) {
			rows := readReference(t, name)
			s := openSlots(t, importTiny(t, name, checkpoint.FP32).Dir, 0, len(rows), 32)
			check := func(how string, logits [][]float32, want [][]float32) {
				t.Helper()
				for i := range want {
					if d := far(logits[i], want[i]); !(d < 2e-4) {
						t.Errorf("%s: logits of token %d are off by %g", how, i, d)
					}
				}
			}
			// All prompts in one padded batch.
			var prompts [][]int64
			for i, r := range rows {
				prompts = append(prompts, r.IDs)
				s.begin(i, len(r.IDs))
			}
			logits := s.run(0, prompts, true)
			for _, r := range rows {
				check("one batch", logits, r.Values)
				logits = logits[len(r.IDs):]
			}
			// Part by part into a slot that was used before, then token by token beside others.
			s.begin(0, len(rows[1].IDs))
			s.begin(1, len(rows[0].IDs))
			first := rows[0].IDs
			check("first part", s.run(1, [][]int64{first[:3]}, true), rows[0].Values[:3])
			check("second part", s.run(1, [][]int64{first[3:6]}, true), rows[0].Values[3:6])
			s.run(0, [][]int64{rows[1].IDs[:1]}, true)
			for i := 6; i < len(first); i++ {
				beside := rows[1].IDs[:1]
				if i-5 < len(rows[1].IDs) {
					beside = rows[1].IDs[i-5 : i-4]
				}
				both := s.run(0, [][]int64{beside, first[i : i+1]}, true)
				check("decoding", both[1:], rows[0].Values[i:i+1])
				if i-5 < len(rows[1].IDs) {
					check("decoding beside", both[:1], rows[1].Values[i-5:i-4])
				}
			}
		})
	}
}

func TestEncodersComputeWhatTransformersDoes(t *testing.T) {
	for _, name := range provedBy("hidden") {
		t.Run(name, func(t *testing.T) {
			rows := readReference(t, name)
			spec := openBundle(t, importTiny(t, name, checkpoint.FP32).Dir)
			session := openSession(t, filepath.Join(spec.Dir, filepath.FromSlash(spec.Graph)), spec.Inputs, []string{"last_hidden_state"})
			width := 0
			for _, r := range rows {
				width = max(width, len(r.IDs))
			}
			for _, left := range []bool{false, true} {
				for _, batch := range [][]referenceRow{rows, rows[:1], rows[1:]} {
					compareHidden(t, session, len(spec.Inputs), batch, width, left)
				}
			}
			compareHidden(t, session, len(spec.Inputs), rows[1:], len(rows[1].IDs), false)
		})
	}
}

// first is where a row's first token lies among those of rows padded to width on one side.
func first(rows []referenceRow, i, width int, left bool) int {
	if left {
		return (i+1)*width - len(rows[i].IDs)
	}
	return i * width
}

// runHidden runs rows padded to width on one side, with ids that must not matter.
func runHidden(t *testing.T, session *ort.DynamicAdvancedSession, inputs int, rows []referenceRow, width int, left bool) []float32 {
	t.Helper()
	n := len(rows)
	ids, mask, types := make([]int64, n*width), make([]int64, n*width), make([]int64, n*width)
	for i := range ids {
		ids[i] = 5
	}
	for i, r := range rows {
		for j, id := range r.IDs {
			at := first(rows, i, width, left) + j
			ids[at], mask[at] = id, 1
		}
	}
	size := len(rows[0].Values[0])
	out := make([]float32, n*width*size)
	shape := []int64{int64(n), int64(width)}
	values := []value{tensor(t, ids, shape...), tensor(t, mask, shape...), tensor(t, types, shape...)}[:inputs]
	if err := session.Run(values, []value{tensor(t, out, int64(n), int64(width), int64(size))}); err != nil {
		t.Fatal(err)
	}
	return out
}

func compareHidden(t *testing.T, session *ort.DynamicAdvancedSession, inputs int, rows []referenceRow, width int, left bool) {
	t.Helper()
	out, size := runHidden(t, session, inputs, rows, width, left), len(rows[0].Values[0])
	for i, r := range rows {
		for j, want := range r.Values {
			if d := far(out[(first(rows, i, width, left)+j)*size:], want); !(d < 1e-5) {
				t.Errorf("%d rows of %d, padded on the left %v: row %d, token %d is off by %g", len(rows), width, left, i, j, d)
			}
		}
	}
}
