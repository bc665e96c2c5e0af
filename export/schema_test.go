package export

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/export/delta"
	"textmill/export/part"
	"textmill/internal/foreign"
)

// A column that another tool added is null in our rows, for every reader, and ours and theirs live in one table.
func TestColumnsOfOthersAreNull(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.CheckpointEvery = 3 }))
	put(t, tab, "a")
	stale := begin(t, tab)
	add(t, stale, "b")
	foreign.Python(t, `
import sys, deltalake
from deltalake.schema import Field, PrimitiveType, ArrayType, MapType, StructType
t = deltalake.DeltaTable(sys.argv[1])
t.alter.add_columns([Field("review", PrimitiveType("string")), Field("score", PrimitiveType("double")),
  Field("seen", StructType([Field("by", PrimitiveType("string")), Field("at", PrimitiveType("timestamp"))])),
  Field("tags", ArrayType(PrimitiveType("string"), True)),
  Field("more", MapType(PrimitiveType("string"), PrimitiveType("long")))])
`, tab.Path())
	commit(t, stale)
	put(t, tab, "c", "a")
	holds(t, tab, "a", "b", "c")
	foreignAgree(t, tab)
	// What others write into their columns stays there, and a file that holds both is read by us.
	told := foreign.Python(t, `
import sys, json, deltalake
path = sys.argv[1]
t = deltalake.DeltaTable(path)
t.update(updates={"review": "'good'", "score": "0.5"}, predicate="record_id = 'a-3'")
t = deltalake.DeltaTable(path)
t.optimize.compact()
t = deltalake.DeltaTable(path)
t.create_checkpoint()
rows = t.to_pyarrow_table().to_pylist()
columns = ["record_id", "review", "score", "seen", "tags", "more"]
print(json.dumps([len(t.files()) if hasattr(t, "files") else len(t.file_uris()),
  sorted(str([r[c] for c in columns]) for r in rows if r["review"] or r["record_id"] == "b-1")]))
`, tab.Path())
	var got struct {
		files int
		rows  []string
	}
	if err := json.Unmarshal([]byte(told), &[]any{&got.files, &got.rows}); err != nil {
		t.Fatal(err)
	}
	want := []string{"['a-3', 'good', 0.5, None, None, None]", "['b-1', None, None, None, None, None]"}
	if got.files != 1 || !slices.Equal(got.rows, want) {
		t.Errorf("delta-rs tells %s", told)
	}
	put(t, tab, "d", "c")
	holds(t, tab, "a", "b", "c", "d")
	foreignAgree(t, tab)
	if _, err := tab.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreignAgree(t, tab)
}

// The type of vectors is bound when the first are written, whatever columns others added before.
func TestVectorsTypeIsBoundBesideColumnsOfOthers(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(key("dead"))}); err != nil { // makes the table
		t.Fatal(err)
	}
	const addColumn = `
import sys, deltalake
from deltalake.schema import Field, PrimitiveType
deltalake.DeltaTable(sys.argv[1]).alter.add_columns([Field("review", PrimitiveType("string"), metadata={"comment": "ours"})])`
	foreign.Python(t, addColumn, tab.Path())
	b, err := tab.Begin(t.Context(), EmbeddingInt8)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	rows := sample("a", 10)
	for i := range rows {
		rows[i].Embedding, rows[i].Embedding8 = nil, []int8{1, 2, 3}
	}
	if err := b.Add(key("a"), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	if in.Embedding != "list<byte>" || !strings.Contains(in.Schema, `"review"`) || !strings.Contains(in.Schema, "ours") {
		t.Errorf("the schema is %s", in.Schema)
	}
	foreignAgree(t, tab)
}

// Whatever we cannot write is refused, and what is known of the table stays known.
func TestForeignTablesAreRefused(t *testing.T) {
	for name, c := range foreignTables(t) {
		t.Run(name, func(t *testing.T) { refusedUntilUndone(t, c.entry, c.why) })
	}
}

// foreignMetadata is an entry with a table's schema and what another tool changed.
func foreignMetadata(t *testing.T, schema string, change func(m map[string]any)) string {
	t.Helper()
	m := map[string]any{"id": "ID", "format": map[string]any{"provider": "parquet", "options": map[string]any{}},
		"schemaString": schema, "partitionColumns": []string{}, "configuration": map[string]any{}}
	if change != nil {
		change(m)
	}
	b, err := json.Marshal(map[string]any{"metaData": m})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// foreignTables are what other tools may make of a table, and why it is refused then.
func foreignTables(t *testing.T) map[string]struct{ entry, why string } {
	metadata := func(schema string, change func(m map[string]any)) string { return foreignMetadata(t, schema, change) }
	column := func(name, typ string, rest string) string {
		return strings.Replace(part.SchemaString(part.Float32), `"fields":[`,
			`"fields":[{"name":"`+name+`","type":`+typ+rest+`},`, 1)
	}
	swap := func(from, to string) string { return strings.Replace(part.SchemaString(part.Float32), from, to, 1) }
	ours := part.SchemaString(part.Float32)
	nullable := `,"nullable":true,"metadata":{}`
	element := `,"containsNull":false}` + nullable + `},{"name":"logprobs"`
	return map[string]struct{ entry, why string }{
		"writer": {`{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["appendOnly"]}}`,
			"protocol"},
		"reader": {`{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],` +
			`"writerFeatures":["deletionVectors"]}}`, "protocol"},
		"features": {`{"protocol":{"minReaderVersion":1,"minWriterVersion":2,"writerFeatures":["invented"]}}`,
			"features"},
		"no columns": {metadata(`{"type":"struct","fields":[]}`, nil), "no column job"},
		"not null": {metadata(column("review", `"string"`, `,"nullable":false,"metadata":{}`), nil),
			"review must not be null"},
		"ours not": {metadata(swap(`"name":"text","type":"string","nullable":true`,
			`"name":"text","type":"string","nullable":false`), nil), "text must not be null"},
		"type": {metadata(swap(`"name":"dim","type":"integer"`, `"name":"dim","type":"long"`), nil),
			"column dim is long"},
		"embedding": {metadata(swap(`"elementType":"float"`+element, `"elementType":"double"`+element), nil),
			"column embedding is"},
		"a name": {metadata(swap(`"name":"output"`, `"name":"Output"`), nil), "no column output"},
		"invariant": {metadata(column("review", `"string"`, `,"nullable":true,"metadata":{"delta.invariants":"{}"}`), nil),
			"delta.invariants"},
		"deep": {metadata(column("r", `{"type":"struct","fields":[{"name":"x","type":"long"`+
			nullable[:len(nullable)-1]+`"delta.invariants":"{}"}}]}`, nullable), nil), "delta.invariants"},
		"constraint": {metadata(ours, func(m map[string]any) {
			m["configuration"] = map[string]any{"delta.constraints.c": "dim > 0"}
		}), "delta.constraints.c"},
		"partitioned": {metadata(ours, func(m map[string]any) { m["partitionColumns"] = []string{"job"} }), "partitioned"},
		"provider": {metadata(ours, func(m map[string]any) {
			m["format"] = map[string]any{"provider": "orc",
				"options": map[string]any{}}
		}), "orc"},
	}
}

// refusedUntilUndone has another tool write an entry, and then what undoes it.
func refusedUntilUndone(t *testing.T, entry, why string) {
	t.Helper()
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	b := begin(t, tab)
	add(t, b, "b")
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	entry = strings.Replace(entry, `"id":"ID"`, `"id":"`+in.ID+`"`, 1)
	if err := os.WriteFile(filepath.Join(tab.Path(), "_delta_log", delta.EntryName(2)), []byte(entry+"\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), why) {
		t.Errorf("commit: %v; want %q", err, why)
	}
	if _, err := tab.Begin(t.Context(), EmbeddingFloat32); !errors.Is(err, ErrRefused) {
		t.Errorf("begin: %v", err)
	}
	if err := tab.Writable(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("writable: %v", err)
	}
	if o := outcome(t, tab, key("a")); o != Committed {
		t.Errorf("lookup still says %v", o)
	}
	// What stood in the way is taken away again, by whoever put it there.
	undo := strings.Replace(foreignMetadata(t, part.SchemaString(part.Float32), nil), `"id":"ID"`, `"id":"`+in.ID+`"`,
		1) + "\n" + `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}` + "\n"
	if err := os.WriteFile(filepath.Join(tab.Path(), "_delta_log", delta.EntryName(3)), []byte(undo),
		0o644); err != nil {
		t.Fatal(err)
	}
	if err := tab.Writable(t.Context()); err != nil {
		t.Errorf("writable again: %v", err)
	}
	put(t, tab, "b")
}

// A tool that overwrites the table takes rows away, not what is known: what was settled stays so, and appending goes
// on.
func TestForeignOverwrite(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	put(t, tab, "a", "b")
	stale := begin(t, tab)
	add(t, stale, "c", "a")
	foreign.Python(t, `
import sys, deltalake
t = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()
deltalake.write_deltalake(sys.argv[1],
  t.filter([i.startswith("a-") for i in t["record_id"].to_pylist()]), mode="overwrite")
`, tab.Path())
	if res := commit(t, stale); res.Rows != 10 || res.Outcomes[key("a").AppID] != Committed {
		t.Errorf("the stale batch: %+v", res)
	}
	put(t, tab, "b", "d")
	holds(t, tab, "a", "c", "d")
	fresh := table(t, openStore(t, dir))
	if o := outcome(t, fresh, key("b")); o != Committed {
		t.Errorf("what the other tool took away is %v", o)
	}
	foreignAgree(t, fresh)
}
