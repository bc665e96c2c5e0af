package search

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viterin/vek"

	"textmill/export"
	"textmill/export/scan"
	"textmill/internal/committed"
	"textmill/internal/s3"
	"textmill/models/vector"
)

// random is a vector that says little.
func random(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// row is a record with its vector as a precision keeps it.
func row(t testing.TB, id int, v []float32, precision string) export.Row {
	t.Helper()
	r := export.Row{Job: "j", Shard: "0", RecordID: fmt.Sprint("r", id), Task: "embed", Model: "m", ModelSHA256: "abc",
		Text: export.Some(fmt.Sprint("text ", id)), Attributes: map[string]string{"third": fmt.Sprint(id % 3)}, Dim: export.Some(int32(len(v))),
		NTokens: export.Some(int32(id % 4))}
	f, err := vector.Finish(slices.Clone(v), vector.Params{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	r.Embedding, r.Embedding8 = f.F, f.I8
	for _, u := range f.U8 {
		r.Embedding16 = append(r.Embedding16, int16(u))
	}
	return r
}

func failed(id int) export.Row {
	return export.Row{Job: "j", Shard: "0", RecordID: fmt.Sprint("e", id), Task: "embed", Model: "m", ModelSHA256: "abc", Error: "timeout: too long"}
}

// makeTable commits each list of rows as a part of its own to the table at a URI's docs.
func makeTable(t testing.TB, uri string, v export.Vectors, parts ...[]export.Row) string {
	t.Helper()
	return committed.Table(t, export.Options{URI: uri}, "docs", v, parts...)
}

func openTable(t testing.TB, uri string) *export.Reading {
	t.Helper()
	r, err := export.OpenReading(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func nearestOf(t testing.TB, r *export.Reading, questions [][]float32, metric string, k int, where ...string) ([][]Hit, Stats) {
	t.Helper()
	conditions, err := Where(r.Schema, r.By, where)
	if err != nil {
		t.Fatal(err)
	}
	hits, stats, err := Nearest(t.Context(), r, questions, Options{Vectors: r.Vectors, Metric: metric, K: k, Where: conditions, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	return hits, stats
}

// exact is the score of a question and a row in float64, as the metric's definition has it.
func exact(metric, precision string, question []float32, r *export.Row) float64 {
	var v []float64
	for _, x := range r.Embedding {
		v = append(v, float64(x))
	}
	for _, x := range r.Embedding8 {
		v = append(v, float64(x))
	}
	for _, x := range r.Embedding16 {
		v = append(v, float64(x))
	}
	if metric == Hamming {
		same := 0
		for i, q := range question {
			b := int(v[i/8])
			if precision == vector.Binary {
				b += 128
			}
			if (q > 0) == (b>>(7-i%8)&1 == 1) {
				same++
			}
		}
		return float64(same) / float64(len(question))
	}
	var dot, qq, vv, far float64
	for i, q := range question {
		x, q := v[i], float64(q)
		if precision == vector.Uint8 {
			x -= 128
		}
		dot, qq, vv, far = dot+x*q, qq+q*q, vv+x*x, far+(x-q)*(x-q)
	}
	switch {
	case metric == Dot:
		return dot
	case metric == Euclidean:
		return -math.Sqrt(far)
	case qq*vv == 0:
		return 0
	}
	return dot / math.Sqrt(qq*vv)
}

// TestEveryPrecisionAndMetric compares all rows with every question in float64, with the processor's vector
// instructions and without them. Dimensions are no multiple of anything.
func TestEveryPrecisionAndMetric(t *testing.T) {
	const n, k = 500, 20
	for _, c := range []struct {
		precision string
		metrics   []string
	}{
		{vector.Float32, []string{Cosine, Dot, Euclidean}}, {vector.Int8, []string{Cosine}}, {vector.Uint8, []string{Cosine}},
		{vector.Binary, []string{Hamming}}, {vector.Ubinary, []string{Hamming}},
	} {
		for _, dim := range []int{1, 77, 384} {
			rng := rand.New(rand.NewPCG(uint64(dim), 7))
			var rows []export.Row
			for i := range n {
				rows = append(rows, row(t, i, random(rng, dim), c.precision))
			}
			rows = append(rows, row(t, n, make([]float32, dim), c.precision), failed(n))
			v := export.Vectors{Precision: c.precision, Dim: dim}
			r := openTable(t, makeTable(t, t.TempDir(), v, rows[:n/2], rows[n/2:]))
			questions := [][]float32{random(rng, dim), random(rng, dim), make([]float32, dim)}
			for _, metric := range c.metrics {
				for _, fast := range []bool{true, false} {
					vek.SetAcceleration(fast)
					hits, stats := nearestOf(t, r, questions, metric, k)
					vek.SetAcceleration(true)
					if stats.Rows != n+1 {
						t.Errorf("%d rows compared", stats.Rows)
					}
					for q := range questions {
						holds(t, fmt.Sprintf("%s %s %d", c.precision, metric, dim), hits[q], k, func(r *export.Row) float64 {
							return exact(metric, c.precision, questions[q], r)
						}, rows[:n+1])
					}
				}
			}
		}
	}
}

// TestRangesKeepLengths searches vectors that were quantized within ranges: what their steps stand for is compared, by
// every metric.
func TestRangesKeepLengths(t *testing.T) {
	const n, k, dim = 200, 10, 33
	rng := rand.New(rand.NewPCG(3, 4))
	ranges := &vector.Ranges{Least: random(rng, dim), Most: random(rng, dim)}
	for i := range ranges.Most {
		ranges.Most[i] = ranges.Least[i] + 0.1 + 2*max(ranges.Most[i], -ranges.Most[i])
	}
	for _, precision := range []string{vector.Int8, vector.Uint8} {
		var rows, floats []export.Row
		for i := range n {
			v := random(rng, dim)
			f, err := vector.Finish(slices.Clone(v), vector.Params{Precision: precision, Ranges: ranges})
			if err != nil {
				t.Fatal(err)
			}
			r, wide := row(t, i, v, vector.Float32), make([]float32, 0, dim)
			floats = append(floats, r)
			r.Embedding, r.Embedding8 = nil, f.I8
			for _, q := range f.I8 {
				wide = append(wide, float32(q)+128)
			}
			for _, q := range f.U8 {
				r.Embedding16, wide = append(r.Embedding16, int16(q)), append(wide, float32(q))
			}
			ranges.Widen(wide)
			floats[i].Embedding = wide
			rows = append(rows, r)
		}
		v := export.Vectors{Precision: precision, Dim: dim, Ranges: ranges.String()}
		r := openTable(t, makeTable(t, t.TempDir(), v, rows))
		questions := [][]float32{random(rng, dim)}
		for _, metric := range []string{Cosine, Dot, Euclidean} {
			hits, _, err := Nearest(t.Context(), r, questions, Options{Vectors: v, Metric: metric, K: k, Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, precision+" "+metric, hits[0], k, func(r *export.Row) float64 {
				return exact(metric, vector.Float32, questions[0], r)
			}, floats)
		}
	}
}

// holds compares hits with the best of all rows by a score; those of the same score may swap.
func holds(t *testing.T, what string, hits []Hit, k int, score func(*export.Row) float64, rows []export.Row) {
	t.Helper()
	byID := map[string]float64{}
	var all []float64
	for i := range rows {
		s := score(&rows[i])
		byID[rows[i].RecordID] = s
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b float64) int { return -cmpFloat(a, b) })
	if len(hits) != min(k, len(all)) {
		t.Fatalf("%s: %d hits of %d rows", what, len(hits), len(all))
	}
	seen := map[string]bool{}
	for i, h := range hits {
		off := 1e-5 * max(1, math.Abs(all[i]))
		if seen[h.RecordID] || math.Abs(h.Score-all[i]) > off || math.Abs(h.Score-byID[h.RecordID]) > off {
			t.Errorf("%s: hit %d is %s with %f, which has %f; there is one with %f", what, i, h.RecordID, h.Score, byID[h.RecordID], all[i])
		}
		seen[h.RecordID] = true
	}
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// small is a table of 300 rows in three parts, and its rows.
func small(t *testing.T, uri string) (string, []export.Row) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var parts [3][]export.Row
	for i := range 300 {
		r := row(t, i, random(rng, 16), vector.Float32)
		if i >= 200 {
			r.Model = "other"
		}
		parts[i/100] = append(parts[i/100], r)
	}
	dir := makeTable(t, uri, export.Vectors{Precision: vector.Float32, Dim: 16}, parts[:]...)
	return dir, slices.Concat(parts[:]...)
}

func TestConditionsHold(t *testing.T) {
	dir, rows := small(t, t.TempDir())
	r := openTable(t, dir)
	question := random(rand.New(rand.NewPCG(5, 6)), 16)
	for _, c := range []struct {
		where []string
		files int
		want  func(r *export.Row) bool
	}{
		{[]string{"third=1"}, 3, func(r *export.Row) bool { return r.Attributes["third"] == "1" }},
		{[]string{"attributes.third=1", "n_tokens=2"}, 3, func(r *export.Row) bool { return r.Attributes["third"] == "1" && r.NTokens.V == 2 }},
		{[]string{"model=other"}, 1, func(r *export.Row) bool { return r.Model == "other" }},
		{[]string{"model=m", "third=0"}, 2, func(r *export.Row) bool { return r.Model == "m" && r.Attributes["third"] == "0" }},
		{[]string{"model=nobody"}, 0, func(*export.Row) bool { return false }},
		{[]string{"attributes.model=m"}, 3, func(*export.Row) bool { return false }},
		{[]string{"record_id=r17"}, 3, func(r *export.Row) bool { return r.RecordID == "r17" }},
		{[]string{"text=text 7"}, 3, func(r *export.Row) bool { return r.RecordID == "r7" }},
	} {
		hits, stats := nearestOf(t, r, [][]float32{question}, Cosine, 1000, c.where...)
		fit := slices.DeleteFunc(slices.Clone(rows), func(r export.Row) bool { return !c.want(&r) })
		holds(t, fmt.Sprint(c.where), hits[0], 1000, func(r *export.Row) float64 { return exact(Cosine, vector.Float32, question, r) }, fit)
		if stats.Rows != int64(len(fit)) || stats.Files > c.files {
			t.Errorf("%v: %+v, want %d rows of %d files", c.where, stats, len(fit), c.files)
		}
	}
	for _, given := range []string{"embedding=1", "attributes=1", "=x", "lang"} {
		if _, err := Where(r.Schema, r.By, []string{given}); !errors.Is(err, ErrWhere) {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// A hit says what its row says, and where it lies.
func TestHitsSayWhatTheirRowsSay(t *testing.T) {
	dir, rows := small(t, t.TempDir())
	r := openTable(t, dir)
	for _, i := range []int{0, 99, 100, 299} {
		hits, _ := nearestOf(t, r, [][]float32{rows[i].Embedding}, Dot, 300)
		at := slices.IndexFunc(hits[0], func(h Hit) bool { return h.RecordID == rows[i].RecordID })
		h := hits[0][at]
		if h.Text != rows[i].Text || h.Attributes["third"] != rows[i].Attributes["third"] || h.Chunk.Valid || filepath.Dir(h.File) != dir {
			t.Errorf("row %d: %+v", i, h)
		}
		if _, err := os.Stat(h.File); err != nil {
			t.Error(err)
		}
	}
}

// What is committed, deleted or rewritten after a table was opened changes nothing of what is read of it.
func TestOneVersionIsRead(t *testing.T) {
	uri := t.TempDir()
	dir, rows := small(t, uri)
	r := openTable(t, dir)
	before, _ := nearestOf(t, r, [][]float32{rows[5].Embedding}, Cosine, 3)
	late := row(t, 1000, rows[5].Embedding, vector.Float32)
	makeTable(t, uri, r.Vectors, []export.Row{late, late})
	after, _ := nearestOf(t, r, [][]float32{rows[5].Embedding}, Cosine, 3)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %v, after %v", before, after)
	}
	newer := openTable(t, dir)
	if hits, _ := nearestOf(t, newer, [][]float32{rows[5].Embedding}, Cosine, 3); hits[0][1].RecordID != "r1000" || newer.Version != r.Version+1 {
		t.Errorf("at version %d: %v", newer.Version, hits)
	}
}

func TestTablesWithoutVectors(t *testing.T) {
	v := export.Vectors{Precision: vector.Float32, Dim: 4}
	for name, parts := range map[string][][]export.Row{
		"no rows": nil, "error rows": {{failed(1), failed(2)}},
		"generated": {{{Job: "j", Shard: "0", RecordID: "g", Task: "generate", Model: "writer", ModelSHA256: "def", Output: export.Some("x")}}},
	} {
		if name == "no rows" {
			parts = [][]export.Row{{}}
		}
		r := openTable(t, makeTable(t, t.TempDir(), v, parts...))
		models, err := Models(t.Context(), r)
		if err != nil || len(models) != 0 {
			t.Errorf("%s: models %v, %v", name, models, err)
		}
		if hits, _ := nearestOf(t, r, [][]float32{{1, 2, 3, 4}}, Cosine, 5); len(hits) != 1 || len(hits[0]) != 0 {
			t.Errorf("%s: %v", name, hits)
		}
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	dir, _ := small(t, t.TempDir())
	r := openTable(t, dir)
	for want, o := range map[string]Options{
		"another pooling than none":      {Vectors: export.Vectors{Precision: vector.Float32, Dim: 16, PerToken: true}, Metric: Cosine, K: 1, Workers: 1},
		"not compared by hamming":        {Vectors: r.Vectors, Metric: Hamming, K: 1, Workers: 1},
		"none of cosine":                 {Vectors: r.Vectors, Metric: "manhattan", K: 1, Workers: 1},
		"have lost their lengths":        {Vectors: export.Vectors{Precision: vector.Int8, Dim: 16}, Metric: Dot, K: 1, Workers: 1},
		"not compared by cosine":         {Vectors: export.Vectors{Precision: vector.Binary, Dim: 16}, Metric: Cosine, K: 1, Workers: 1},
		"the table's vectors have 17":    {Vectors: export.Vectors{Precision: vector.Float32, Dim: 17}, Metric: Cosine, K: 1, Workers: 1},
		"both must be positive":          {Vectors: r.Vectors, Metric: Cosine},
		"has a vector of 16 values, the": {Vectors: export.Vectors{Precision: vector.Float32, Dim: 4}, Metric: Cosine, K: 1, Workers: 2},
	} {
		question := make([]float32, 16)
		if o.Vectors.Dim == 4 {
			question = question[:4]
		}
		if _, _, err := Nearest(t.Context(), r, [][]float32{question}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A vector with a NaN, as only others write it, is near nothing and hides nothing.
func TestNaNIsNearNothing(t *testing.T) {
	rows := []export.Row{row(t, 0, []float32{1, 0}, vector.Float32), row(t, 1, []float32{float32(math.NaN()), 1}, vector.Float32),
		row(t, 2, []float32{0, 1}, vector.Float32)}
	r := openTable(t, makeTable(t, t.TempDir(), export.Vectors{Precision: vector.Float32, Dim: 2}, rows))
	for k := 1; k < 4; k++ {
		hits, _ := nearestOf(t, r, [][]float32{{1, 0.1}}, Cosine, k)
		var ids []string
		for _, h := range hits[0] {
			ids = append(ids, h.RecordID)
		}
		if want := []string{"r0", "r2"}[:min(k, 2)]; !slices.Equal(ids, want) {
			t.Errorf("the %d nearest are %v", k, ids)
		}
	}
}

func TestModelsOfATable(t *testing.T) {
	dir, rows := small(t, t.TempDir())
	rows[0].ModelSHA256, rows[1].ModelSHA256 = "abcdef0123456789", "fedcba"
	mixed := makeTable(t, t.TempDir(), export.Vectors{Precision: vector.Float32, Dim: 16}, rows[:3], []export.Row{failed(1)})
	for path, want := range map[string]string{dir: "[m@abc other@abc]", mixed: "[m@abc m@abcdef012345 m@fedcba]"} {
		all, err := Models(t.Context(), openTable(t, path))
		if err != nil || fmt.Sprint(all) != want {
			t.Errorf("models %v, want %s; %v", all, want, err)
		}
	}
	all := []Model{{"m", "abc1"}, {"m", "abd1"}, {"other", "abc1"}}
	for meant, want := range map[string]string{"other": "other@abc1", "m@abc": "m@abc1", "other@": "other@abc1"} {
		if m, err := Choose(all, meant); err != nil || m.String() != want {
			t.Errorf("%q: %v, %v", meant, m, err)
		}
	}
	for meant, want := range map[string]string{"": "name one with --model", "m": "m@abc1, m@abd1", "m@ab": "name one", "none": `no vector of the table was made by "none"`} {
		if _, err := Choose(all, meant); !errors.Is(err, ErrModels) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", meant, err)
		}
	}
	if m, err := Choose(all[:1], ""); err != nil || m != all[0] {
		t.Errorf("the only one: %v, %v", m, err)
	}
	r := openTable(t, mixed)
	hits, stats, err := Nearest(t.Context(), r, [][]float32{rows[0].Embedding}, Options{Vectors: r.Vectors, Metric: Cosine, K: 9, Workers: 2, Where: Model{"m", "fedcba"}.Rows()})
	if err != nil || stats.Rows != 1 || hits[0][0].RecordID != rows[1].RecordID {
		t.Errorf("%v, %+v, %v", hits, stats, err)
	}
}

// Of a bucket's table the same rows are found.
func TestTableInABucket(t *testing.T) {
	s3.ForTest(t)
	dir, rows := small(t, t.TempDir())
	remote, _ := small(t, "s3://"+s3.Name+"/search")
	question := [][]float32{rows[3].Embedding, rows[250].Embedding}
	here, _ := nearestOf(t, openTable(t, dir), question, Cosine, 7, "third=1")
	there, _ := nearestOf(t, openTable(t, remote), question, Cosine, 7, "third=1")
	for q := range here {
		for i := range here[q] {
			if h := there[q][i]; !strings.HasPrefix(h.File, remote+"/") || h.Score != here[q][i].Score || h.RecordID != here[q][i].RecordID || h.Text != here[q][i].Text {
				t.Errorf("hit %d of question %d is %+v, want %+v", i, q, h, here[q][i])
			}
		}
	}
}

// A file that is damaged, or that somebody has removed, ends the search by its name, and leaves nothing open.
func TestFilesThatCannotBeRead(t *testing.T) {
	dir, rows := small(t, t.TempDir())
	r := openTable(t, dir)
	path := r.Files[1].Path
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(data)-9)); err != nil {
		t.Fatal(err)
	}
	look := func() error {
		_, _, err := Nearest(t.Context(), r, [][]float32{rows[0].Embedding}, Options{Vectors: r.Vectors, Metric: Cosine, K: 1, Workers: 2, Where: scan.Conditions{}})
		return err
	}
	if err := look(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := look(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("gone: %v", err)
	}
}
