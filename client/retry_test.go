package client

import (
	"os"
	"slices"
	"strings"
	"testing"

	"textmill/export"
	"textmill/ground/naming"
)

// Files whose statistics say that no row of theirs is an error are not read: here they are not even there.
func TestRetryReadsOnlyFilesOfErrors(t *testing.T) {
	o, out, errs := options()
	o.Model, o.DryRun = "", true
	o.Export = export.Options{URI: t.TempDir()}
	store, err := export.OpenStore(o.Export)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	table, err := store.Table(o.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	for id, row := range map[string]export.Row{"good": {}, "bad": {Error: "timeout: the run took too long", Text: export.Some("x")}} {
		row.RecordID, row.Task, row.Model = id, naming.TaskGenerate, "m"
		b, err := table.Begin(t.Context(), export.EmbeddingFloat32)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(export.JobKey(row.Task, row.Model, "j", id, nil), []export.Row{row}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	in, err := export.Inspect(t.Context(), table.Path())
	if err != nil {
		t.Fatal(err)
	}
	clean := slices.DeleteFunc(in.Files, func(f export.LiveFile) bool { return !f.Void("error") })
	if len(clean) != 1 || clean[0].Rows != 1 {
		t.Fatalf("files without errors: %+v", clean)
	}
	if err := os.Remove(clean[0].Path); err != nil {
		t.Fatal(err)
	}
	if err := RetryErrors(t.Context(), openQueue(t), o); err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	if !strings.Contains(out.String(), "1 errors tried again") {
		t.Errorf("it says %s%s", out, errs)
	}
}
