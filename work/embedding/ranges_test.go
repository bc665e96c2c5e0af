package embedding

import (
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/models/vector"
)

// TestRangesOfAJobQuantize holds that rows have the steps within a job's ranges, which bind its table, and that ranges
// which cannot be used are error rows that say why.
func TestRangesOfAJobQuantize(t *testing.T) {
	plain := embedAll(t, &flaky{}, time.Minute, `{"normalize":false}`, "one two")[0][0].Embedding
	if len(plain) != 2 {
		t.Fatalf("the test's model gives %v", plain)
	}
	r := &vector.Ranges{Least: []float32{-1, 0}, Most: []float32{300, 2}}
	const ranges = `"ranges":[[-1,0],[300,2]]`
	want, err := vector.Finish(slices.Clone(plain), vector.Params{Precision: vector.Int8, Ranges: r})
	if err != nil {
		t.Fatal(err)
	}
	got := embedAll(t, &flaky{}, time.Minute, `{"normalize":false,"precision":"int8",`+ranges+`}`, "one two")[0][0]
	if !slices.Equal(got.Embedding8, want.I8) || got.Error != "" {
		t.Errorf("%v %s, want %v", got.Embedding8, got.Error, want.I8)
	}
	for params, says := range map[string]string{
		`{` + ranges + `}`: "not of float32",
		`{"precision":"int8","dimensions":1,` + ranges + `}`:   "of 2 dimensions, the vectors have 1",
		`{"precision":"uint8","ranges":[[0,0,0],[1,1,1]]}`:     "of 3 dimensions, the vectors have 2",
		`{"precision":"ubinary","ranges":[[-1,0],[300,2]]}`:    "not of ubinary",
		`{"precision":"int8","ranges":[[-3e38,0],[3e38,200]]}`: "dimension 0",
	} {
		if got := embedAll(t, &flaky{}, time.Minute, params, "one two")[0][0].Error; !strings.Contains(got, "ranges: ") || !strings.Contains(got, says) {
			t.Errorf("%s: %q", params, got)
		}
	}
}
