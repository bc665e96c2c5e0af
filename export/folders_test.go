package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// byFolder prints the id, date and lang of each row as each reader sees them, in their order, then what filters find.
const byFolder = `
import sys, json, glob, os, datetime
import deltalake, polars as pl, duckdb, duckdb_extension_delta, pyarrow.dataset as ds, pyarrow.parquet as pq
path, files = sys.argv[1], sys.argv[2:]
def told(rows): return sorted([[None if v is None else str(v) for v in r] for r in rows])
names = ["record_id", "date", "lang"]
t = deltalake.DeltaTable(path)
out = {"delta-rs": told([[r[n] for n in names] for r in t.to_pyarrow_table(columns=names).to_pylist()])}
out["polars"] = told(pl.read_delta(path).select(names).rows())
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute("SET enable_progress_bar = false")
c.execute("LOAD '%s'" % glob.glob(os.path.dirname(duckdb_extension_delta.__file__) + "/**/delta.duckdb_extension", recursive=True)[0])
out["duckdb delta_scan"] = told(c.execute("select record_id, date, lang from delta_scan(?)", [path]).fetchall())
if "bare" in os.environ.get("READ", ""):
  out["duckdb read_parquet"] = told(c.execute("select record_id, date, lang from read_parquet(?)", [files]).fetchall())
  out["pyarrow"] = told([[r[n] for n in names] for r in ds.dataset(files).to_table(columns=names).to_pylist()])
  out["one by one"] = told([[r[n] for n in names] for f in files for r in pq.ParquetFile(f).read(columns=names).to_pylist()])
some = "zh/\u00fc %=a b"
out["filters"] = [[None, None, str(n)] for n in [
  t.to_pyarrow_table(partitions=[("lang", "=", some)]).num_rows, pl.scan_delta(path).filter(pl.col("lang") == some).collect().height,
  c.execute("select count(*) from delta_scan(?) where lang = ?", [path, some]).fetchone()[0],
  t.to_pyarrow_table(partitions=[("date", "=", "2023-11-15")]).num_rows, pl.scan_delta(path).filter(pl.col("date") == datetime.date(2023, 11, 15)).collect().height,
  c.execute("select count(*) from delta_scan(?) where date = '2023-11-15'", [path]).fetchone()[0]]]
print(json.dumps(out))
`

// addsAndCompacts appends rows of two partitions, one of them new, as another tool does, and puts together what it can.
const addsAndCompacts = `
import sys, pyarrow as pa, pyarrow.compute as pc, deltalake
t = deltalake.DeltaTable(sys.argv[1])
rows = t.to_pyarrow_table()
one = rows.filter(pc.equal(rows["record_id"], "a-0"))
at = one.schema.get_field_index
def but(table, name, value): return table.set_column(at(name), table.schema.field(name), pa.array([value], table.schema.field(name).type))
deltalake.write_deltalake(sys.argv[1], pa.concat_tables([but(one, "record_id", "theirs-1"), but(but(one, "record_id", "theirs-2"), "lang", "new")]), mode="append")
if sys.argv[2] == "compact": deltalake.DeltaTable(sys.argv[1]).optimize.compact()
`

// languages are attributes that folders, URLs and readers might spoil. The last three are null as a column.
var languages = []string{"en", "zh/ü %=a b", "..", "%41+&?#'\"\\", "日本", "", strings.Repeat("x", 300), hiveNull}

// inLanguages are rows of three days and all languages, some of them errors, one without attributes and one without a
// time.
func inLanguages(shard string) []Row {
	rows := sample(shard, 24)
	for i := range rows {
		rows[i].Attributes = map[string]string{"lang": languages[i%len(languages)], "other": "x"}
		rows[i].CreatedAt = time.Date(2023, 11, 14+i/8, 23, 59, 59, 0, time.FixedZone("", -3600))
		if i%7 == 3 {
			rows[i].Error, rows[i].Embedding, rows[i].Dim = "nan: x", nil, Null[int32]{}
		}
	}
	rows[22].Attributes, rows[23].CreatedAt = nil, time.Time{}
	return rows
}

func partitioned(t testing.TB, dir, by string) *Table {
	t.Helper()
	p, err := ParsePartitioning(by)
	if err != nil {
		t.Fatal(err)
	}
	return table(t, openStore(t, dir, func(o *Options) { o.PartitionBy = func(string) Partitioning { return p } }))
}

func putRowsOf(t testing.TB, tab *Table, shard string, rows []Row) {
	t.Helper()
	b := begin(t, tab)
	if err := b.Add(key(shard), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
}

// Every reader sees the day and the attribute of each row, whoever wrote, put together or rewrote its file.
func TestTablesPartitionedByDateAndAttribute(t *testing.T) {
	tab := partitioned(t, t.TempDir(), "date,attribute:lang")
	want := map[string][2]string{} // by id: day, language; "" is null
	fill := func(shard string) {
		rows := inLanguages(shard)
		putRowsOf(t, tab, shard, rows)
		for _, r := range rows {
			v := tab.current().layout().by.of(&r)
			want[r.RecordID] = [2]string{deref(v["date"]), deref(v["lang"])}
		}
	}
	for _, shard := range []string{"a", "b", "c"} {
		fill(shard)
	}
	if w := want["a-9"]; w != [2]string{"2023-11-16", "zh/ü %=a b"} {
		t.Errorf("a-9 is of %q", w)
	}
	agree := func(after string, bare bool) {
		t.Helper()
		foldersAgree(t, tab, want, after, bare)
	}
	agree("three commits", true)
	if in, err := Inspect(t.Context(), tab.Path()); err != nil || in.Refused != nil ||
		!slices.Equal(in.By, Partitioning{"date", "attribute:lang"}) {
		t.Fatalf("%v, %v", in, err)
	}
	rewrite(t, tab, deletes("a-1", "b-9"))
	delete(want, "a-1")
	delete(want, "b-9")
	done := rewrite(t, tab, Rewrite{Operation: "DELETE", Take: Selection{Attributes: map[string]string{"lang": ".."}}})
	for id, v := range want {
		if v[1] == ".." {
			delete(want, id)
		}
	}
	if done.Kept != 0 || done.Taken != 9 {
		t.Errorf("a delete of whole partitions: %+v", done)
	}
	r := Rewrite{Operation: "MERGE", Take: Selection{Records: OfRecords("", "b-4")}}
	moved := inLanguages("b")[4:5]
	moved[0].Attributes["lang"] = "moved"
	r.Put = replacedBy(moved)
	rewrite(t, tab, r)
	want["b-4"] = [2]string{want["b-4"][0], "moved"}
	if done := compact(t, tab); done.Commits == 0 {
		t.Error("nothing was put together")
	}
	agree("a replacement and a compaction", true)
	foreign.Python(t, addsAndCompacts, tab.Path(), "compact")
	want["theirs-1"], want["theirs-2"] = want["a-0"], [2]string{want["a-0"][0], "new"}
	agree("delta-rs' rows and compaction", false)
	fill("d")
	rewrite(t, tab, deletes("theirs-1"))
	delete(want, "theirs-1")
	agree("a delete out of their file", false)
	long := Rewrite{Operation: "DELETE", Take: Selection{Attributes: map[string]string{"lang": languages[6]}}}
	if done := rewrite(t, tab, long); done.Taken != 8 {
		t.Errorf("a delete by an attribute that is no folder's: %+v", done)
	}
	sound(t, tab)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// foldersAgree holds each reader to the days and languages of rows.
func foldersAgree(t *testing.T, tab *Table, want map[string][2]string, after string, bare bool) {
	t.Helper()
	sound(t, tab)
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{tab.Path()}
	for _, f := range in.Files {
		args = append(args, f.Path)
	}
	t.Setenv("READ", map[bool]string{true: "bare"}[bare])
	var got map[string][][3]*string
	if err := json.Unmarshal([]byte(foreign.Python(t, byFolder, args...)), &got); err != nil {
		t.Fatal(err)
	}
	filters := []string{}
	for _, f := range got["filters"] {
		filters = append(filters, deref(f[2]))
	}
	delete(got, "filters")
	some, day := 0, 0
	for _, v := range want {
		some += map[bool]int{true: 1}[v[1] == "zh/ü %=a b"]
		day += map[bool]int{true: 1}[v[0] == "2023-11-15"]
	}
	if w := fmt.Sprint([]int{some, some, some, day, day, day}); fmt.Sprint(filters) != w {
		t.Errorf("after %s filters find %s rows, want %s", after, filters, w)
	}
	for reader, rows := range got {
		seen := map[string][2]string{}
		for _, r := range rows {
			seen[deref(r[0])] = [2]string{deref(r[1]), deref(r[2])}
		}
		if len(rows) != len(want) {
			t.Errorf("after %s %s has %d rows, want %d", after, reader, len(rows), len(want))
		}
		for id, w := range want {
			if seen[id] != w {
				t.Errorf("after %s %s has %s of %q, want %q", after, reader, id, seen[id], w)
			}
		}
	}
}

// What a killed process left in a partition's folder is swept, and what a compaction replaced is vacuumed there.
func TestSweepLooksIntoFolders(t *testing.T) {
	dir := t.TempDir()
	tab := partitioned(t, dir, "attribute:lang")
	putRowsOf(t, tab, "a", inLanguages("a"))
	putRowsOf(t, tab, "b", inLanguages("b"))
	folder := filepath.Join(tab.Path(), "lang=en")
	orphan := filepath.Join(folder, "textmill-0123456789abcdef-1.parquet")
	for _, name := range []string{orphan, filepath.Join(folder, "theirs.parquet")} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := Verify(t.Context(), tab.Path()); err != nil || !slices.Contains(v.Unnamed, orphan) {
		t.Errorf("unnamed are %v, %v", v.Unnamed, err)
	}
	removed, err := tab.store.Sweep(t.Context())
	if err != nil || !slices.Equal(removed, []string{orphan}) {
		t.Errorf("it swept %v, %v", removed, err)
	}
	compact(t, tab)
	out, err := tab.Vacuum(t.Context(), VacuumOptions{Retention: new(time.Duration)})
	if err != nil || len(out.Files) == 0 || filepath.Dir(filepath.Dir(out.Files[0])) != tab.Path() {
		t.Errorf("it vacuumed %v, %v", out.Files, err)
	}
	for _, name := range append(out.Files, orphan) {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sound(t, tab)
	if err := os.RemoveAll(folder); err != nil { // whoever cleans up may take an empty folder too
		t.Fatal(err)
	}
}

// A delivery of a few partitions too many is refused by name, and costs the batch that it was to join nothing; many
// small deliveries of as many partitions are to be committed in between.
func TestPartitionsThatAreOpenAreFew(t *testing.T) {
	tab := partitioned(t, t.TempDir(), "attribute:lang")
	rows := sample("many", 10000)
	for i := range rows {
		rows[i].Attributes = map[string]string{"lang": fmt.Sprint(i)}
	}
	b := begin(t, tab)
	add(t, b, "good")
	if err := b.Add(key("many"), rows); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "attribute:lang") {
		t.Errorf("a delivery of 10000 partitions: %v", err)
	}
	sp, err := tab.Spool(t.Context(), key("many"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; err == nil && i < len(rows); i += 100 {
		err = sp.Append(rows[i : i+100])
	}
	if !errors.Is(err, ErrSchema) || len(sp.parts) > mostOpen {
		t.Errorf("a spool of %d parts: %v", len(sp.parts), err)
	}
	sp.Abort()
	r := Rewrite{Operation: "MERGE", Put: replacedBy(rows)}
	if _, err := tab.Rewrite(t.Context(), r); !errors.Is(err, ErrSchema) {
		t.Errorf("a rewrite of 10000 partitions: %v", err)
	}
	added := 0
	for ; !b.Full(); added++ {
		if err := b.Add(key(fmt.Sprint(added)), rows[added:added+1]); err != nil {
			t.Fatal(err)
		}
	}
	if added != mostOpen-1 {
		t.Errorf("it is full after %d deliveries", added)
	}
	if res := commit(t, b); res.Rows != int64(10+added) {
		t.Errorf("%+v", res)
	}
	if unnamed := files(t, tab); len(unnamed) != 1 {
		t.Errorf("beside the lock there are %v", unnamed)
	}
}

// Open files hold no more rows in memory together than a few row groups.
func TestOpenPartitionsShareTheirMemory(t *testing.T) {
	by, err := ParsePartitioning("attribute:lang")
	if err != nil {
		t.Fatal(err)
	}
	const group = 4000
	tab := table(t, openStore(t, t.TempDir(), func(o *Options) {
		o.PartitionBy, o.RowGroupBytes = func(string) Partitioning { return by }, group
	}))
	b := begin(t, tab)
	for i := range 30 {
		rows := sample(fmt.Sprint(i), 10)
		for k := range rows {
			rows[k].Attributes["lang"] = fmt.Sprint(k)
		}
		if err := b.Add(key(fmt.Sprint(i)), rows); err != nil {
			t.Fatal(err)
		}
		held := int64(0)
		for _, p := range b.shared {
			held += p.held()
		}
		if held > 4*group {
			t.Fatalf("after %d deliveries %d bytes are held", i, held)
		}
	}
	commit(t, b)
	if n := len(sound(t, tab)); n != 300 {
		t.Errorf("%d rows", n)
	}
}

// A table that was partitioned before partitions had folders stays as it is, without folders; one that is partitioned
// by a date of somebody else's is not written to.
func TestLayoutsOfOthers(t *testing.T) {
	by := func(property, columns, fields string) error {
		m := metadata("id", EmbeddingFloat32, 0, nil)
		m.PartitionColumns = strings.Split(columns, ",")
		if property != "" {
			m.Configuration[partitionKey] = property
		}
		m.SchemaString = strings.Replace(m.SchemaString, `"fields":[`, `"fields":[`+fields, 1)
		l, err := layoutOf(m)
		if err == nil && l.flat != (property == "") {
			t.Errorf("%s: flat is %t", columns, l.flat)
		}
		return err
	}
	date := `{"name":"date","type":"date","nullable":true,"metadata":{}},`
	for _, c := range []struct {
		property, columns, fields, want string
	}{
		{"", "task,model", "", ""},
		{"", "date", date, "not textmill's"},
		{"date", "date", date, ""},
		{"date", "date", strings.Replace(date, `"date","n`, `"string","n`, 1), "no column date"},
		{"date", "date", "", "no column date"},
		{"date,task", "date", date, partitionKey},
		{"attribute:lang", "lang", strings.ReplaceAll(date, `"date"`, `"lang"`), "no column lang"},
	} {
		err := by(c.property, c.columns, c.fields)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %q: %v, want %q", c.property, c.columns, err, c.want)
		}
	}
}
