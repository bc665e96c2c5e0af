package export

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

func TestParsePartitioning(t *testing.T) {
	for text, want := range map[string]string{
		"task": "task", "model,task": "model,task", "": "not one of", "tasks": "not one of", "task,task": "twice",
		"date": "date", "attribute:lang,task,date": "attribute:lang,task,date", "attribute:": "cannot be a column",
		"attribute:a.b": "cannot be a column", "attribute:Text": "have one of that name", "attribute:DATE": "have one of that name",
		"attribute:a,attribute:b": "it can be one", "attribute:" + strings.Repeat("a", 65): "up to 64",
	} {
		p, err := ParsePartitioning(text)
		got := strings.Join(p, ",")
		if (err == nil) != (got == want) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %s", text, p, err, want)
		}
	}
}

// byPartition is what each reader counts by the partition columns, and by one of them with a filter.
const byPartition = `
import sys, json, glob, os
import deltalake, polars as pl, duckdb, duckdb_extension_delta
path = sys.argv[1]
def told(rows): return sorted([str(a), str(b), str(c), n] for a, b, c, n in rows)
out = []
t = deltalake.DeltaTable(path).to_pyarrow_table().group_by(["task", "model", "truncated"]).aggregate([("record_id", "count")]).to_pylist()
out.append(told([(r["task"], r["model"], r["truncated"], r["record_id_count"]) for r in t]))
p = pl.read_delta(path).group_by(["task", "model", "truncated"]).len()
out.append(told(p.rows()))
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute("SET enable_progress_bar = false") # it would go where the answer goes
c.execute("LOAD '%s'" % glob.glob(os.path.dirname(duckdb_extension_delta.__file__) + "/**/delta.duckdb_extension", recursive=True)[0])
out.append(told(c.execute("select task, model, truncated, count(*) from delta_scan(?) group by all", [path]).fetchall()))
out.append([deltalake.DeltaTable(path).to_pyarrow_table(partitions=[("model", "=", "n")]).num_rows, pl.scan_delta(path).filter(pl.col("model") == "n").collect().height,
  c.execute("select count(*) from delta_scan(?) where model = 'n'", [path]).fetchone()[0]])
print(json.dumps(out))
`

// A partitioned table's files are of one partition each, whatever writes them; every reader sees the same, after delta-rs
// put files together too, which leaves the partition's columns out of them.
func TestPartitionedTables(t *testing.T) {
	dir := t.TempDir()
	by, err := ParsePartitioning("task,model")
	if err != nil {
		t.Fatal(err)
	}
	tab := table(t, openStore(t, dir, func(o *Options) {
		o.PartitionBy = func(dataset string) Partitioning { return map[string]Partitioning{"docs": by}[dataset] }
	}))
	rowsOf := func(shard string) []Row {
		rows := withErrors(shard)
		for i := range rows {
			rows[i].Model = []string{"m", "n"}[i%2]
			rows[i].Task = []string{"embed", "generate"}[i/7]
		}
		return rows
	}
	want := map[string]int{}
	put := func(shards ...string) {
		b := begin(t, tab)
		for _, shard := range shards {
			for _, r := range rowsOf(shard) {
				want[fmt.Sprintf("[%q,%q,%q", r.Task, r.Model, "False")]++
			}
			if err := b.Add(key(shard), rowsOf(shard)); err != nil {
				t.Fatal(err)
			}
		}
		commit(t, b)
	}
	agree := func(after string) {
		t.Helper()
		sound(t, tab)
		var lines []string
		for k, n := range want {
			if n > 0 {
				lines = append(lines, fmt.Sprintf("%s,%d]", k, n))
			}
		}
		slices.Sort(lines)
		var got []json.RawMessage
		if err := json.Unmarshal([]byte(foreign.Python(t, byPartition, tab.Path())), &got); err != nil {
			t.Fatal(err)
		}
		some := 0
		for k, n := range want {
			if strings.Contains(k, `,"n",`) {
				some += n
			}
		}
		for i, reader := range []string{"delta-rs", "polars", "duckdb"} {
			var rows [][]any
			if err := json.Unmarshal(got[i], &rows); err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, r := range rows {
				told = append(told, fmt.Sprintf("[%q,%q,%q,%v]", r[0], r[1], r[2], r[3]))
			}
			slices.Sort(told)
			if !slices.Equal(told, lines) {
				t.Errorf("after %s %s counts %v\nwant %v", after, reader, told, lines)
			}
		}
		if f := fmt.Sprintf("[%d,%d,%d]", some, some, some); strings.ReplaceAll(string(got[3]), " ", "") != f {
			t.Errorf("after %s a filter finds %s rows, want %s", after, got[3], f)
		}
	}
	put("a", "b")
	put("c")
	if res := commit(t, func() *Batch { b := begin(t, tab); _ = b.Add(key("a"), rowsOf("a")); return b }()); res.Rows != 0 {
		t.Errorf("a settled shard: %+v", res)
	}
	agree("two commits")
	rewrite(t, tab, deletes("a-0", "c-9"))
	want[`["embed","m","False"`]--
	want[`["generate","n","False"`]--
	agree("a delete")
	r := Rewrite{Operation: "MERGE", Take: Selection{Records: OfRecords("", "b-2")}}
	r.Put = replacedBy(rowsOf("b")[2:3])
	rewrite(t, tab, r)
	agree("a replacement")
	if done := compact(t, tab); done.Commits == 0 {
		t.Error("nothing was put together")
	}
	agree("a compaction")
	put("d")
	foreign.Python(t, compacts, tab.Path())
	agree("delta-rs' compaction")
	ourReaders(t, tab, want)
	rewrite(t, tab, Rewrite{Operation: "DELETE", Extend: true, Take: Selection{Model: "n"}})
	for k := range want {
		if strings.Contains(k, `,"n",`) {
			want[k] = 0
		}
	}
	agree("a delete by a partition's column")
	if got := outcome(t, tab, key("b")); got != Committed {
		t.Errorf("shard b is %v", got)
	}
}

// ourReaders holds those that read some columns to what the log says of columns that files of others lack.
func ourReaders(t *testing.T, tab *Table, want map[string]int) {
	t.Helper()
	for _, task := range []string{"embed", "generate"} {
		n, all := 0, 0
		for k, rows := range want {
			if strings.HasPrefix(k, fmt.Sprintf("[%q,", task)) {
				all += rows
			}
		}
		if _, err := Holds(t.Context(), tab.Path(), task, func(Held) error { n++; return nil }); err != nil || n != all {
			t.Errorf("it holds %d rows of %s, want %d; %v", n, task, all, err)
		}
	}
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range in.Files {
		m, one := f.Only("model")
		if !one || !f.Full("model") || f.Void("model") || f.Without("model", m) || !f.Without("model", m+"x") {
			t.Errorf("%s is of the model %q: %t", f.Path, m, one)
		}
	}
}

func replacedBy(rows []Row) func(context.Context, func([]Row) error) error {
	return func(_ context.Context, put func([]Row) error) error { return put(rows) }
}
