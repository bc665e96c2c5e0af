package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// readsRecords is what delta-rs reads of a table: ids, without errors.
const readsRecords = `
import sys, deltalake
t = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()
print(*sorted(t["record_id"].to_pylist()))
`

// grep finds files below dir that hold a text, as whoever has the disk could.
func grep(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestUpkeep deletes rows for good, puts files together and tells of it.
func TestUpkeep(t *testing.T) {
	home := newHome(t)
	dir := filepath.Join(t.TempDir(), "notes")
	ids := map[string]string{"a": "secret-of-a", "b": "secret-of-b", "c": "secret-of-c"}
	for _, id := range []string{"c", "a", "b"} {
		line := `{"id":"` + ids[id] + `","text":"one","attributes":{"lang":"` + id + `"}}` + "\n"
		call{home: home, env: quick, stdin: line + `{"id":"bad-` + id + `","text":7}` + "\n"}.ok(t, "embed", "--model", model, "--out", dir)
	}
	read := func(want string) {
		t.Helper()
		call{}.ok(t, "table", "verify", dir)
		if got := strings.TrimSpace(foreign.Python(t, readsRecords, dir)); got != want {
			t.Errorf("delta-rs reads %s, want %s", got, want)
		}
	}
	answer := func(out string) (a struct {
		Version, Rows, Bytes int
		DryRun               bool `json:"dry_run"`
		Removed              int  `json:"files_removed"`
		Added                int  `json:"files_added"`
		Vacuumed             struct{ Files []string }
		Files                []string
		Operation            string
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return a
	}
	if a := answer(call{}.ok(t, "table", "delete", dir, "--id", ids["a"], "--dry-run", "--json").stdout); a.Rows != 1 ||
		a.Removed != 1 || !a.DryRun || a.Version != 3 {
		t.Errorf("a dry run: %+v", a)
	}
	read("bad-a bad-b bad-c secret-of-a secret-of-b secret-of-c")
	a := answer(call{stdin: ids["a"] + "\n"}.ok(t, "table", "delete", dir, "--ids-from", "-", "--vacuum-after", "0s", "--json").stdout)
	if a.Rows != 1 || a.Added != 0 || len(a.Vacuumed.Files) != 1 { // its error row lies in another file
		t.Errorf("the delete: %+v", a)
	}
	read("bad-a bad-b bad-c secret-of-b secret-of-c")
	if left := grep(t, dir, ids["a"]); len(left) != 1 || filepath.Ext(left[0]) != ".json" {
		t.Errorf("what was deleted is still in %v", left)
	}
	call{}.ok(t, "table", "delete", dir, "--where", "lang=c")
	read("bad-a bad-b bad-c secret-of-b")
	call{}.ok(t, "table", "compact", dir)
	read("bad-a bad-b bad-c secret-of-b")
	call{}.ok(t, "table", "delete", dir, "--errors")
	read("secret-of-b")
	call{}.ok(t, "table", "checkpoint", dir)
	call{}.ok(t, "table", "vacuum", dir, "--retention", "0s")
	read("secret-of-b")
	call{}.ok(t, "table", "delete", dir, "--model", model)
	read("")
	history := strings.Split(strings.TrimSpace(call{}.ok(t, "table", "history", dir, "-n", "0", "--json").stdout), "\n")
	var operations []string
	for _, line := range history {
		operations = append(operations, answer(line).Operation)
	}
	want := "DELETE DELETE OPTIMIZE DELETE DELETE WRITE WRITE WRITE CREATE TABLE"
	if got := strings.Join(operations, " "); got != want {
		t.Errorf("the history is %s, want %s", got, want)
	}
	for _, args := range [][]string{{"delete", dir}, {"delete", dir, "--task", "embed", "--errors"}, {"compact", dir, "--target", "x"},
		{"vacuum", dir, "--retention", "-1h"}, {"history", dir, "-n", "-1"}} {
		if r := (call{}).run(t, append([]string{"table"}, args...)...); r.code != 2 {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
	for _, name := range []string{"delete", "compact", "vacuum", "checkpoint"} {
		nowhere := filepath.Join(t.TempDir(), "nowhere")
		args := []string{"table", name, nowhere}
		if name == "delete" {
			args = append(args, "--errors")
		}
		if r := (call{}).run(t, args...); r.code != 1 {
			t.Errorf("%s of a table that is not there: exit %d\n%s", name, r.code, r.stderr)
		}
		if _, err := os.Stat(nowhere); err == nil {
			t.Errorf("%s made a table", name)
		}
	}
}
