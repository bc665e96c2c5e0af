package test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// brute compares every question with every row, as anybody would with NumPy, from what delta-rs reads. It prints for each
// question the ids and scores of the nearest, then the scores of all rows by id.
const brute = `
import json, sys, numpy as np
from deltalake import DeltaTable
table, questions, precision, where, k = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]) or {}, int(sys.argv[5])
t = DeltaTable(table).to_pyarrow_table()
rows = [r for r in t.select(["record_id", "embedding", "attributes", "n_tokens", "dim"]).to_pylist() if r["embedding"] is not None]
for r in rows: r.update(dict(r["attributes"] or []))
rows = [r for r in rows if all(str(r.get(name)) == value for name, value in where.items())]
v = np.array([r["embedding"] for r in rows], dtype=np.float64)
q = np.array([json.loads(line)["embedding"] for line in open(questions)], dtype=np.float64)
if precision in ("binary", "ubinary"):
    v = np.unpackbits((v + (128 if precision == "binary" else 0)).astype(np.uint8), axis=1)
    q = (q > 0).astype(np.uint8)
    scores = (q[:, None, :] == v[None, :, :]).mean(axis=2) if len(rows) else np.zeros((len(q), 0))
else:
    if precision == "uint8": v = v - 128
    v = v / np.linalg.norm(v, axis=1, keepdims=True) if len(rows) else v.reshape(0, q.shape[1])
    scores = (q / np.linalg.norm(q, axis=1, keepdims=True)) @ v.T
ids = [r["record_id"] for r in rows]
for s in scores:
    print(json.dumps({"best": sorted(s.tolist(), reverse=True)[:k], "all": dict(zip(ids, s.tolist()))}))
`

type hit struct {
	Query      string
	Rank       int
	ID         string
	Score      float64
	Text       *string
	Attributes map[string]string
	Chunk      *int
	File       string
	Version    int
	Error      string
}

// agrees asks the table all questions, and holds the answers to those of brute; rows of the same score may swap.
func agrees(t *testing.T, c call, table, asked, vectors, precision string, k int, where map[string]string, more ...string) []hit {
	t.Helper()
	args := append([]string{"search", table, "--queries", asked, "--json", "-k", strconv.Itoa(k)}, more...)
	for name, value := range where {
		args = append(args, "--where", name+"="+value)
	}
	conditions, err := json.Marshal(where)
	if err != nil {
		t.Fatal(err)
	}
	hits := lines[hit](t, c.ok(t, args...).stdout)
	want := lines[struct {
		Best []float64
		All  map[string]float64
	}](t, foreign.Python(t, brute, table, vectors, precision, string(conditions), strconv.Itoa(k)))
	at := 0
	for q, w := range want {
		seen := map[string]bool{}
		for rank, best := range w.Best {
			if at == len(hits) {
				t.Fatalf("%s %v: %d hits", precision, where, len(hits))
			}
			h := hits[at]
			at++
			score, there := w.All[h.ID]
			if h.Query != fmt.Sprint("q", q) || h.Rank != rank+1 || seen[h.ID] || !there || math.Abs(h.Score-score) > 1e-5 || math.Abs(h.Score-best) > 1e-5 {
				t.Fatalf("%s %v: %+v; NumPy gives it %f, and has one of %f", precision, where, h, score, best)
			}
			seen[h.ID] = true
		}
	}
	if at != len(hits) || len(want) == 0 {
		t.Errorf("%s %v: %d hits, want %d", precision, where, len(hits), at)
	}
	return hits
}

// searched is a corpus with two records that fail, and questions on it with their vectors.
func searched(t *testing.T, c call, texts, questions int) (corpus, asked, vectors string) {
	t.Helper()
	words := strings.Fields("file line sort slice map lock channel wait string byte buffer error parse time zone print scan read write close open split join")
	var in, qs strings.Builder
	for i := range texts {
		text := fmt.Sprintf("%s %s with %s, number %d", words[i%len(words)], words[i*7%23], words[i/23%23], i)
		fmt.Fprintf(&in, `{"id":"r%d","text":%s,"lang":%q,"kind":"k%d"}`+"\n", i, quoted(text), []string{"en", "de"}[i%2], i%5)
	}
	in.WriteString(`{"id":"bad","text":7}` + "\n" + `{"id":"worse"}` + "\n")
	for i := range questions {
		fmt.Fprintf(&qs, `{"id":"q%d","text":"how do I %s a %s of %s"}`+"\n", i, words[i*5%23], words[i%23], words[i/3%23])
	}
	asked, vectors = filepath.Join(t.TempDir(), "asked.jsonl"), filepath.Join(t.TempDir(), "vectors.jsonl")
	c.stdin = qs.String()
	for file, content := range map[string]string{asked: qs.String(), vectors: c.ok(t, "embed", "--model", model).stdout} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return in.String(), asked, vectors
}

// TestSearchIsExact holds 200 questions to NumPy: without and with conditions, after rows were deleted, and after others rewrote
// the files.
func TestSearchIsExact(t *testing.T) {
	c := call{home: newHome(t), env: quick}
	corpus, asked, vectors := searched(t, c, 300, 200)
	dir := filepath.Join(t.TempDir(), "docs")
	c.stdin = corpus
	c.ok(t, "embed", "--model", model, "--out", dir)
	c.stdin = `{"id":"late","text":"a line that came later","lang":"en"}` + "\n"
	c.ok(t, "embed", "--model", model, "--out", dir)
	const float32s = "float32"
	hits := agrees(t, c, dir, asked, vectors, float32s, 10, nil)
	if h := hits[0]; h.Text == nil || h.Attributes["lang"] == "" || h.Chunk == nil || filepath.Dir(h.File) != dir || h.Version != 2 {
		t.Errorf("a hit is %+v", h)
	}
	agrees(t, c, dir, asked, vectors, float32s, 1000, map[string]string{"lang": "de", "kind": "k3", "n_tokens": "10"})
	if first := (call{home: c.home, env: []string{"GODEBUG=cpu.avx2=off"}}).ok(t, "search", dir, "--json", "sort"); !strings.Contains(first.stdout, `"rank":10`) {
		t.Errorf("without AVX2: %s", first.stdout)
	}

	foreign.Python(t, `
import sys
from deltalake import DeltaTable, WriterProperties
DeltaTable(sys.argv[1]).delete("record_id = 'late' or record_id = 'r7'", writer_properties=WriterProperties(compression="ZSTD"))`, dir)
	for _, h := range agrees(t, c, dir, asked, vectors, float32s, 10, nil) {
		if h.ID == "late" || h.ID == "r7" || h.Version != 3 || strings.Contains(filepath.Base(h.File), "textmill-") {
			t.Fatalf("a row that was deleted, or of another version: %+v", h)
		}
	}
	agrees(t, c, dir, asked, vectors, float32s, 5, map[string]string{"lang": "en", "kind": "k2"})
}

func TestSearchOfEachPrecision(t *testing.T) {
	c := call{home: newHome(t), env: quick}
	corpus, asked, vectors := searched(t, c, 100, 20)
	for _, precision := range []string{"int8", "uint8", "binary", "ubinary"} {
		dir := filepath.Join(t.TempDir(), "docs")
		c.stdin = corpus
		c.ok(t, "embed", "--model", model, "--param", "precision="+precision, "--out", dir)
		agrees(t, c, dir, asked, vectors, precision, 10, map[string]string{"lang": "en"})
	}
	dir := filepath.Join(t.TempDir(), "short")
	cut := c.ok(t, "embed", "--model", model, "--param", "dimensions=64", "--out", dir)
	c.stdin = `{"id":"q0","text":"sort a slice"}` + "\n"
	few := filepath.Join(t.TempDir(), "few")
	of64 := c.ok(t, "embed", "--model", model, "--param", "dimensions=64").stdout
	if err := os.WriteFile(few, []byte(of64), 0o600); err != nil {
		t.Fatal(err, cut)
	}
	agrees(t, c, dir, "-", few, "float32", 10, nil)
}

// What cannot be searched is refused by name, before anything is read, with what mends it.
func TestSearchRefuses(t *testing.T) {
	home := newHome(t)
	c := call{home: home, env: quick, stdin: `{"id":"a","text":"one"}` + "\n"}
	tables := t.TempDir()
	plain, tokens, other, mixed := filepath.Join(tables, "plain"), filepath.Join(tables, "tokens"), filepath.Join(tables, "other"), filepath.Join(tables, "mixed")
	for _, dir := range []string{plain, other, mixed} {
		c.ok(t, "embed", "--model", model, "--out", dir)
	}
	c.ok(t, "embed", "--model", model, "--param", "pooling=none", "--out", tokens)
	// Somebody else's rows, and rows of a model that is not here.
	rename := `
import sys, pyarrow as pa
from deltalake import DeltaTable, write_deltalake
t = DeltaTable(sys.argv[1]).to_pyarrow_table()
t = t.set_column(t.schema.get_field_index(sys.argv[3]), sys.argv[3], pa.array([sys.argv[4]] * t.num_rows))
write_deltalake(sys.argv[1], t, mode=sys.argv[2])`
	foreign.Python(t, rename, other, "overwrite", "model_sha256", strings.Repeat("ab", 32))
	foreign.Python(t, rename, mixed, "append", "model", "another")
	for _, r := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{tokens, "x"}, 1, []string{"vectors of 384 dimensions for each token", "another pooling than none"}},
		{[]string{other, "x"}, 1, []string{"model is not here", strings.Repeat("ab", 32), "textmill models pull", "textmill submit --model " + model}},
		{[]string{mixed, "x"}, 2, []string{"another@", model + "@", "--model"}},
		{[]string{mixed, "--model", "another", "x"}, 1, []string{`there is no model "another"`, "textmill setup"}},
		{[]string{mixed, "--model", "nobody", "x"}, 2, []string{`made by "nobody"`}},
		{[]string{plain, "--where", "embedding=1", "x"}, 2, []string{"--where", "embedding"}},
		{[]string{plain, "--where", "lang", "x"}, 2, []string{"NAME=VALUE"}},
		{[]string{plain, "--metric", "hamming", "x"}, 1, []string{"float32 vectors are not compared by hamming"}},
		{[]string{plain, "--param", "dimensions=3", "x"}, 2, []string{"dimensions", "prompt_name"}},
		{[]string{plain, "-k", "0", "x"}, 2, []string{"-k 0"}},
		{[]string{plain}, 2, []string{"--queries"}},
		{[]string{plain, "--queries", filepath.Join(tables, "nothing")}, 1, []string{"--queries"}},
		{[]string{filepath.Join(tables, "none"), "x"}, 1, []string{"no such file"}},
	} {
		got := call{home: home, env: quick}.run(t, append([]string{"search"}, r.args...)...)
		for _, want := range r.want {
			if got.code != r.code || !strings.Contains(got.stderr, want) || got.stdout != "" {
				t.Errorf("%v: exit %d, want %d and %q\n%s", r.args, got.code, r.code, want, got.stderr)
			}
		}
	}
	for _, args := range [][]string{{mixed, "--model", model, "x"}, {plain, "-k", "50", "one"}} {
		if r := (call{home: home, env: quick}).ok(t, append([]string{"search", "--json"}, args...)...); strings.Count(r.stdout, "\n") != 1 {
			t.Errorf("%v: %s", args, r.stdout)
		}
	}
}

// A question that cannot be embedded costs no other its answer; texts, ids and attributes of rows steer no terminal.
func TestSearchSaysWhatItFinds(t *testing.T) {
	home := newHome(t)
	dir := filepath.Join(t.TempDir(), "docs")
	c := call{home: home, env: quick, stdin: fmt.Sprintf(`{"id":%[1]s,"text":%[1]s,"attributes":{"k":%[1]s}}`, quoted(evil)) + "\n" +
		`{"id":"long","text":` + quoted(strings.Repeat("word ", 200)) + "}\n"}
	c.ok(t, "embed", "--model", model, "--out", dir)
	c.stdin = `{"id":"ok","text":"a word"}` + "\n{\n" + fmt.Sprintf(`{"id":%[1]s,"text":%[1]s}`, quoted(evil)) + "\n"
	text, asJSON := c.ok(t, "search", dir, "--queries", "-"), c.ok(t, "search", dir, "--queries", "-", "--json")
	tame(t, text, "search")
	tame(t, asJSON, "search --json")
	for line := range strings.Lines(text.stdout) {
		if len([]rune(line)) > 101 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	if n := strings.Count(text.stdout, "\n"); n != 2*5+2 || !strings.Contains(text.stdout, "error: invalid_record") {
		t.Errorf("%d lines:\n%s", n, text.stdout)
	}
	hits := lines[hit](t, asJSON.stdout)
	if len(hits) != 5 || hits[0].Query != "ok" || hits[2].Query != "1" || !strings.HasPrefix(hits[2].Error, "invalid_record") || hits[3].ID != evil || *hits[3].Text != evil || hits[3].Attributes["k"] != evil {
		t.Errorf("got %+v", hits)
	}
}
