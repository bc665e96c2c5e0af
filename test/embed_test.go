package test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// quick skips learning the batch size, which takes longer than these tests' work.
var quick = []string{"TEXTMILL_MODELS_ALL_MINILM_L6_V2_BATCH_TOKENS=1024"}

// TestTheFirstRunSaysWhyItTakesLong: what is measured once for a machine may take a minute, in which a user must not wonder.
func TestTheFirstRunSaysWhyItTakesLong(t *testing.T) {
	home := newHome(t)
	for _, book := range []string{"run-shapes-1.json", "batch-tokens.json"} {
		if err := os.Remove(filepath.Join(home, book)); err != nil {
			t.Fatal(err)
		}
	}
	first := call{home: home}.ok(t, "embed", "--model", model, "a text")
	again := call{home: home}.ok(t, "embed", "--model", model, "a text")
	const said = "runs of the model are probed, once on the like of this machine"
	if !strings.Contains(first.stderr, said) || strings.Contains(again.stderr, said) {
		t.Errorf("first: %s\nthen: %s", first.stderr, again.stderr)
	}
	if first.stdout == "" || first.stdout != again.stdout {
		t.Errorf("first %.100s, then %.100s", first.stdout, again.stdout)
	}
}

type embedded struct {
	ID        string    `json:"id"`
	Embedding []float64 `json:"embedding"`
	Dim       int       `json:"dim"`
	Norm      *float64  `json:"norm"`
	NTokens   int       `json:"n_tokens"`
	Truncated bool      `json:"truncated"`
	NDropped  int       `json:"n_dropped"`
	Error     string    `json:"error"`
	Chunks    []chunk   `json:"chunks"`
}

type chunk struct {
	Chunk     int       `json:"chunk"`
	Start     int       `json:"chunk_start"`
	End       int       `json:"chunk_end"`
	Embedding []float64 `json:"embedding"`
	Dim       int       `json:"dim"`
	Norm      *float64  `json:"norm"`
	NTokens   int       `json:"n_tokens"`
	Truncated bool      `json:"truncated"`
	NDropped  int       `json:"n_dropped"`
}

func embed(t *testing.T, home, stdin string, args ...string) []embedded {
	t.Helper()
	c := call{home: home, env: quick, stdin: stdin}
	return lines[embedded](t, c.ok(t, append([]string{"embed", "--model", model}, args...)...).stdout)
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func cosine(a, b []float64) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }

func TestEmbedAnswersInOrder(t *testing.T) {
	home := newHome(t)
	const n = 300
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, `{"id":"t%d","text":"text number %d%s"}`+"\n", i, i, strings.Repeat(" with more words", i*37%60))
	}
	in.WriteString("not json\n" + `{"id":"long","text":` + quoted(strings.Repeat("word ", 300)) + "}\n")
	all := embed(t, home, in.String())
	if len(all) != n+2 {
		t.Fatalf("%d answers to %d lines", len(all), n+2)
	}
	for i, e := range all[:n] {
		if e.ID != "t"+strconv.Itoa(i) || len(e.Embedding) != 384 || e.Dim != 384 || e.Error != "" || e.Norm == nil || *e.Norm <= 0 {
			t.Fatalf("answer %d: %+v", i, e)
		}
		if length := math.Sqrt(dot(e.Embedding, e.Embedding)); math.Abs(length-1) > 1e-6 {
			t.Errorf("answer %d has length %f", i, length)
		}
	}
	if bad := all[n]; bad.ID != strconv.Itoa(n) || !strings.HasPrefix(bad.Error, "invalid_record: ") {
		t.Errorf("the bad line: %+v", bad)
	}
	if long := all[n+1]; !long.Truncated || long.NTokens != 256 || long.NDropped != 46 {
		t.Errorf("the long text: %d tokens, %d dropped, truncated %t", long.NTokens, long.NDropped, long.Truncated)
	}
	alone := embed(t, home, "", "text number 0")
	if c := cosine(alone[0].Embedding, all[0].Embedding); alone[0].ID != "0" || c < 0.999999 {
		t.Errorf("alone the cosine to itself among others is %f", c)
	}
}

func TestEmbedParams(t *testing.T) {
	home := newHome(t)
	cut := embed(t, home, "", "--param", "dimensions=64", "--param", "normalize=false", "a text")[0]
	if cut.Dim != 64 || len(cut.Embedding) != 64 {
		t.Errorf("dimensions=64 gives %d", cut.Dim)
	}
	for precision, size := range map[string]int{"int8": 384, "uint8": 384, "binary": 48, "ubinary": 48} {
		e := embed(t, home, "", "--param", "precision="+precision, "a text")[0]
		if len(e.Embedding) != size || e.Embedding[0] != math.Trunc(e.Embedding[0]) {
			t.Errorf("precision=%s gives %d values, the first %v", precision, len(e.Embedding), e.Embedding[0])
		}
	}
	whole := embed(t, home, "", "--param", "chunk_size=32", strings.Repeat("word ", 100))[0]
	if len(whole.Chunks) < 4 || whole.Chunks[1].Chunk != 1 || whole.Chunks[1].Start <= 0 || whole.Embedding != nil {
		t.Errorf("chunk_size=32: %d chunks of 100 words", len(whole.Chunks))
	}
	tooLong := embed(t, home, "", "--param", "truncate=error", strings.Repeat("word ", 300))[0]
	if !strings.HasPrefix(tooLong.Error, "too_long: ") {
		t.Errorf("truncate=error: %+v", tooLong)
	}
}

// TestEmbedToTable compares what delta-rs reads of a table with the JSON answers.
func TestEmbedToTable(t *testing.T) {
	home := newHome(t)
	out := filepath.Join(t.TempDir(), "vectors")
	in := `{"id":"a","text":"first","kind":"x"}` + "\n" + `{"id":"b","text":"second"}` + "\n" + `{"id":"c"}` + "\n"
	c := call{home: home, env: quick, stdin: in}
	if r := c.ok(t, "embed", "--model", model, "--out", out); r.stdout != "" || !strings.Contains(r.stderr, "rows=3") {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
	got := rows(t, out)
	if len(got) != 3 || got["a"].Attributes["kind"] != "x" || !strings.HasPrefix(got["c"].Error, "invalid_record: ") {
		t.Errorf("rows: %+v", got)
	}
	answers := embed(t, home, in)
	read := lines[[]float64](t, foreign.Python(t, `
import json, sys
from deltalake import DeltaTable
t = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=["record_id", "embedding"]).sort_by("record_id")
for v in t["embedding"].to_pylist()[:2]: print(json.dumps(v))
`, out))
	for i, v := range read {
		if c := cosine(v, answers[i].Embedding); c < 0.999999 {
			t.Errorf("row %d: cosine %f to the answer", i, c)
		}
	}
	bad := call{home: home, env: quick, stdin: in}.run(t, "embed", "--model", model, "--out", filepath.Join(out, "no.dots"))
	if bad.code != 1 || !strings.Contains(bad.stderr, "no.dots") {
		t.Errorf("a name that is no table's: exit %d, %s", bad.code, bad.stderr)
	}
}
