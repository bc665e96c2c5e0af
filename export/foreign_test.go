package export

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// readers prints, for each foreign reader, the row count, the ids and the sum over all vectors.
const readers = `
import sys, json, glob, os
import deltalake, polars as pl, pyarrow.dataset as ds, duckdb, duckdb_extension_delta
path, files = sys.argv[1], sys.argv[2:]
def told(ids, vectors): return [len(ids), sorted(ids), sum(sum(map(float, v)) for v in vectors if v is not None)]
out = {}
t = deltalake.DeltaTable(path).to_pyarrow_table()
out["delta-rs"] = told(t["record_id"].to_pylist(), t["embedding"].to_pylist())
p = pl.read_delta(path)
out["polars"] = told(p["record_id"].to_list(), p["embedding"].to_list())
a = ds.dataset(files).to_table()
out["pyarrow"] = told(a["record_id"].to_pylist(), a["embedding"].to_pylist())
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute("SET enable_progress_bar = false")
r = c.execute("select record_id, embedding from read_parquet(?)", [files]).fetchall()
out["duckdb read_parquet"] = told([x[0] for x in r], [x[1] for x in r])
ext = glob.glob(os.path.dirname(duckdb_extension_delta.__file__) + "/**/delta.duckdb_extension", recursive=True)[0]
c.execute("LOAD '%s'" % ext)
r = c.execute("select record_id, embedding from delta_scan(?)", [path]).fetchall()
out["duckdb delta_scan"] = told([x[0] for x in r], [x[1] for x in r])
# A filter must find by stats and by value what a full read finds.
first = sorted(x[0] for x in r)[0]
out["filter"] = [c.execute(
    "select count(*) from delta_scan(?) where record_id = ? and created_at >= '2023-11-14 22:13:20.123456+00'", [path, first]).fetchone()[0],
  pl.scan_delta(path).filter(pl.col("record_id") == first).collect().height,
  deltalake.DeltaTable(path).to_pyarrow_dataset().to_table(filter=ds.field("record_id") == first).num_rows]
out["types"] = [str(f.type) for f in t.schema]
print(json.dumps(out))
`

type seen struct {
	rows int
	ids  []string
	sum  float64
}

func (s *seen) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.rows, &s.ids, &s.sum})
}

// foreignAgree has every reader read the table and compares them with what we read ourselves.
func foreignAgree(t *testing.T, tab *Table) {
	t.Helper()
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{tab.Path()}
	for _, f := range in.Files {
		args = append(args, f.Path)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(foreign.Python(t, readers, args...)), &got); err != nil {
		t.Fatal(err)
	}
	want := seen{ids: sound(t, tab)}
	err = Scan(t.Context(), tab.Path(), func(rows []Row) error {
		for _, r := range rows {
			want.rows++
			for i := range r.Embedding {
				want.sum += float64(r.Embedding[i])
			}
			for i := range r.Embedding8 {
				want.sum += float64(r.Embedding8[i])
			}
			for i := range r.Embedding16 {
				want.sum += float64(r.Embedding16[i])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range []string{"delta-rs", "polars", "pyarrow", "duckdb read_parquet", "duckdb delta_scan"} {
		var s seen
		if err := json.Unmarshal(got[reader], &s); err != nil {
			t.Fatalf("%s: %v in %s", reader, err, got[reader])
		}
		if s.rows != want.rows || !slices.Equal(s.ids, want.ids) || s.sum != want.sum {
			t.Errorf("%s: %d rows, sum %v; want %d, %v", reader, s.rows, s.sum, want.rows, want.sum)
		}
	}
	if f := string(got["filter"]); f != "[1, 1, 1]" {
		t.Errorf("a filter on one record finds %s rows", f)
	}
}

func TestForeignReadersAgree(t *testing.T) {
	for kind, fill := range map[EmbeddingKind]func(*Row){
		EmbeddingFloat32: func(*Row) {},
		EmbeddingInt8:    func(r *Row) { r.Embedding, r.Embedding8 = nil, []int8{-128, 0, 127} },
		EmbeddingInt16:   func(r *Row) { r.Embedding, r.Embedding16 = nil, []int16{0, 255} },
	} {
		t.Run(kind.String(), func(t *testing.T) {
			s := openStore(t, t.TempDir(), func(o *Options) {
				o.CheckpointEvery, o.RowGroupBytes, o.Metadata = 3, 2000, map[string]string{"textmill": "test"}
			})
			tab := table(t, s)
			for _, shard := range []string{"a", "b", "c", "d", "e"} {
				rows := sample(shard, 40)
				for i := range rows {
					fill(&rows[i])
				}
				rows[7].Error, rows[7].Embedding, rows[7].Embedding8, rows[7].Embedding16 = "nan: x", nil, nil, nil
				rows[8].Text, rows[8].Attributes, rows[8].CreatedAt = Null[string]{}, nil, time.Unix(1700000000, 123456000)
				b, err := tab.Begin(t.Context(), kind)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Abort()
				if err := b.Add(key(shard), rows); err != nil {
					t.Fatal(err)
				}
				commit(t, b)
			}
			tab.work.Wait()
			foreignAgree(t, tab)
			if _, err := tab.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			foreignAgree(t, tab)
		})
	}
}

// cleansTheLog has delta-rs compact a table, write checkpoints and clean the log away, whose entries lie in a
// directory.
const cleansTheLog = `
import sys, os, time, deltalake
past = time.time() - 90 * 86400
def age():
  for f in os.listdir(sys.argv[2]):
    if f.endswith(".json"): os.utime(sys.argv[2] + "/" + f, (past, past))
d = deltalake.DeltaTable(sys.argv[1])
d.optimize.compact()
d.create_checkpoint()
age()
d = deltalake.DeltaTable(sys.argv[1])
d.alter.set_table_properties({"delta.logRetentionDuration": "interval 1 days"})
d.create_checkpoint()
age()
d.cleanup_metadata()
`

// What another tool does to the table must neither make us forget what we committed, nor keep us from appending.
func TestDeltaRSCheckpointsCompactsAndCleans(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	put(t, tab, "a", "b")
	put(t, tab, "c")
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(key("dead")),
		CancelVerdict("ended", time.Time{})}); err != nil {
		t.Fatal(err)
	}
	created := time.Unix(1700000000, 0)
	b := begin(t, tab)
	if err := b.Add(SeqKey("S", created, 5, created, ""), nil); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	stale := begin(t, tab) // holds the state from before
	add(t, stale, "e", "a")
	foreign.Python(t, cleansTheLog, tab.Path(), filepath.Join(tab.Path(), "_delta_log"))
	if _, err := os.Stat(filepath.Join(tab.Path(), "_delta_log", "00000000000000000001.json")); err == nil {
		t.Fatal("delta-rs cleaned nothing; the test is of no use")
	}
	fresh := table(t, openStore(t, dir))
	for _, reader := range []*Table{tab, fresh} {
		for k, want := range map[Key]Outcome{
			key("a"): Committed, key("c"): Committed, key("dead"): Dead, key("x"): Absent,
			JobKey("embed", "m", "ended", "1", nil): Cancelled,
			SeqKey("S", created, 5, created, ""):    Committed,
		} {
			if got := outcome(t, reader, k); got != want {
				t.Errorf("%s is %v, want %v", k, got, want)
			}
		}
	}
	if res := commit(t, stale); res.Rows != 10 {
		t.Errorf("the stale batch: %+v", res)
	}
	put(t, fresh, "f", "b")
	holds(t, fresh, "a", "b", "c", "e", "f")
	if err := fresh.SyncEntry(t.Context(), key("a")); err != nil {
		t.Error(err)
	}
	if _, err := fresh.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreignAgree(t, fresh)
	s := openStore(t, dir)
	if removed, err := s.Sweep(t.Context()); err != nil || len(removed) > 0 {
		t.Errorf("a sweep of files that older versions name removed %v: %v", removed, err)
	}
}
