package checkpoint_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"textmill/models/checkpoint"
)

// reference is a row of testdata/tiny/*/reference.json, which testdata/reference.py makes.
type reference struct {
	IDs    []int64     `json:"input_ids"`
	Values [][]float32 `json:"values"`
}

func readReference(t *testing.T, name string) []reference {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "tiny", name, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []reference
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
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

// far is the greatest difference of two vectors.
func far(a, b []float32) (d float64) {
	a = a[:len(b)]
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

func TestDecodersComputeWhatTransformersDoes(t *testing.T) {
	for _, name := range []string{"llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3"} {
		t.Run(name, func(t *testing.T) {
			rows := readReference(t, name)
			s := openSlots(t, importTiny(t, name, checkpoint.FP32).Dir, 0, len(rows), 16)
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
			for _, r := range rows {
				prompts = append(prompts, r.IDs)
			}
			logits := s.run(0, prompts, true)
			for _, r := range rows {
				check("one batch", logits, r.Values)
				logits = logits[len(r.IDs):]
			}
			// Part by part into a slot that was used before, then token by token beside others.
			clear(s.used)
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
	for _, name := range []string{"bert", "xlm-roberta", "distilbert"} {
		t.Run(name, func(t *testing.T) {
			rows := readReference(t, name)
			dir := importTiny(t, name, checkpoint.FP32).Dir
			inputs := []string{"input_ids", "attention_mask"}
			if name != "distilbert" {
				inputs = append(inputs, "token_type_ids")
			}
			session := openSession(t, filepath.Join(dir, "onnx", "model.onnx"), inputs, []string{"last_hidden_state"})
			n, width := len(rows), len(rows[0].IDs)
			ids, mask, types := make([]int64, n*width), make([]int64, n*width), make([]int64, n*width)
			for i, r := range rows {
				for j, id := range r.IDs {
					ids[i*width+j], mask[i*width+j] = id, 1
				}
			}
			size := len(rows[0].Values[0])
			out := make([]float32, n*width*size)
			shape := []int64{int64(n), int64(width)}
			values := []value{tensor(t, ids, shape...), tensor(t, mask, shape...), tensor(t, types, shape...)}[:len(inputs)]
			result := tensor(t, out, int64(n), int64(width), int64(size))
			if err := session.Run(values, []value{result}); err != nil {
				t.Fatal(err)
			}
			for i, r := range rows {
				for j, want := range r.Values {
					if d := far(out[(i*width+j)*size:], want); !(d < 1e-4) {
						t.Errorf("row %d, token %d is off by %g", i, j, d)
					}
				}
			}
		})
	}
}
