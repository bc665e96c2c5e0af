package warehouse

import (
	"errors"
	"strings"
	"testing"

	"textmill/export"
	"textmill/internal/foreign"
)

// The lines that people are shown read the table.
func TestQueriesRun(t *testing.T) {
	all, err := Queries(made(t, "docs"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	program := "import duckdb, duckdb_extension_delta, pathlib\ncon = duckdb.connect()\n" + // INSTALL needs the net
		"con.load_extension(str(next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob('*.duckdb_extension'))))\n"
	for _, q := range all {
		code := q.Code
		if q.Needs == "" {
			code = "print(con.sql(r'''" + code + "'''))"
		}
		program += "print('== " + q.Tool + "')\n" + code + "\n"
	}
	out := foreign.Python(t, program)
	for i, told := range strings.Split(out, "== ")[1:] {
		if !strings.HasPrefix(told, all[i].Tool) || !strings.Contains(told, "bad") || !strings.Contains(told, "record_id") {
			t.Errorf("%s", told)
		}
	}
	if n := strings.Count(out, "== "); n != len(all) {
		t.Errorf("%d of %d ran", n, len(all))
	}
}

// A recipe that is shown is the one that is printed; rows never stand in it.
func TestRecipesAreShownShort(t *testing.T) {
	uri := made(t, "docs")
	r, err := export.OpenReading(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var printed strings.Builder
	if err := Load(t.Context(), Options{Table: uri, Engine: "duckdb", Out: &printed, About: &printed}); err != nil {
		t.Fatal(err)
	}
	if shown, err := Shown(t.Context(), r, "duckdb", 1<<20); err != nil || shown != printed.String() {
		t.Errorf("%v\n%s\nwant\n%s", err, shown, printed.String())
	}
	for engine, most := range map[string]int{"pgvector": 1 << 20, "duckdb": 100} {
		if _, err := Shown(t.Context(), r, engine, most); !errors.Is(err, ErrLong) {
			t.Errorf("%s in %d bytes: %v", engine, most, err)
		}
	}
	if _, err := Shown(t.Context(), r, "excel", 1<<20); !errors.Is(err, ErrUsage) {
		t.Errorf("an engine that nobody knows: %v", err)
	}
}
