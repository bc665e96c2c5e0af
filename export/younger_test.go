package export

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/export/delta"
	"textmill/export/part"
	"textmill/internal/foreign"
)

// A table of before some columns, files of which lack them, gets them with its next rows, and is read by everybody.
func TestTablesOfBeforeGetTheColumnsTheyLack(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	put(t, tab, "a")
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	// The same table as an older version would have made it: its one file is written anew without the columns.
	old := strings.Replace(foreignMetadata(t, withoutYounger(t), nil), `"id":"ID"`, `"id":"`+in.ID+`"`, 1) + "\n"
	add := foreign.Python(t, `
import sys, os, json, pyarrow.parquet as pq
path = sys.argv[1]
t = pq.read_table(path).drop_columns(["content_sha256", "stream_created"])
pq.write_table(t, os.path.join(os.path.dirname(path), "old.parquet"))
print(json.dumps({"remove": {"path": os.path.basename(path), "dataChange": True, "deletionTimestamp": 1}}))
print(json.dumps({"add": {"path": "old.parquet", "partitionValues": {}, "size": os.path.getsize(os.path.join(os.path.dirname(path), "old.parquet")),
  "modificationTime": 1, "dataChange": True, "stats": json.dumps({"numRecords": t.num_rows})}}))
`, in.Files[0].Path)
	if err := os.WriteFile(filepath.Join(tab.Path(), "_delta_log", delta.EntryName(2)), []byte(old+add), 0o644); err != nil {
		t.Fatal(err)
	}
	tab = table(t, openStore(t, dir))
	b := begin(t, tab)
	rows := sample("b", 10)
	for i := range rows {
		rows[i].ContentSHA256 = strings.Repeat("0a", 32)
	}
	if err := b.Add(key("b"), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	holds(t, tab, "a", "b")
	foreignAgree(t, tab)
	told := foreign.Python(t, `
import sys, deltalake
t = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()
print(sorted(set((r["record_id"][0], r["content_sha256"]) for r in t.to_pylist()), key=str))`, tab.Path())
	if want := "[('a', None), ('b', '" + strings.Repeat("0a", 32) + "')]\n"; told != want {
		t.Errorf("delta-rs reads %s, want %s", told, want)
	}
	if v, err := Verify(t.Context(), tab.Path()); err != nil || len(v.Problems) > 0 || v.RowsRead != 20 {
		t.Errorf("verify: %+v, %v", v, err)
	}
	put(t, tab, "c")
	if in, err = Inspect(t.Context(), tab.Path()); err != nil || strings.Count(in.Schema, "content_sha256") != 1 {
		t.Errorf("the schema is %s, %v", in.Schema, err)
	}
}

func withoutYounger(t *testing.T) string {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(part.SchemaString(part.Float32)), &schema); err != nil {
		t.Fatal(err)
	}
	fields := schema["fields"].([]any)
	kept := slices.DeleteFunc(slices.Clone(fields), func(f any) bool {
		name := f.(map[string]any)["name"]
		return name == "content_sha256" || name == "stream_created"
	})
	if len(kept) != len(fields)-2 {
		t.Fatal("the columns have other names")
	}
	schema["fields"] = kept
	b, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
