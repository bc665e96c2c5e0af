package export

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/export/delta"
	"textmill/internal/foreign"
)

// of is the key of a shard of the job j for a model.
func of(model, shard string) Key {
	return JobKey("embed", model, "j", shard, []byte("payload of "+shard))
}

// older opens a copy of the table that the code before models were told apart made, by testdata/before-models.go.txt.
func older(t *testing.T) (dir string, tab *Table) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "docs"), os.DirFS(filepath.Join("testdata", "before-models"))); err != nil {
		t.Fatal(err)
	}
	return dir, table(t, openStore(t, dir))
}

func rowsOf(model, shard string) []Row {
	rows := sample(shard, 10)
	for i := range rows {
		rows[i].Model = model
	}
	return rows
}

func commitOf(t *testing.T, tab *Table, keys ...Key) Result {
	t.Helper()
	b := begin(t, tab)
	for _, k := range keys {
		if err := b.Add(k, rowsOf(strings.TrimPrefix(k.owner, "embed/"), k.shard)); err != nil {
			t.Fatal(err)
		}
	}
	return commit(t, b)
}

// counted has delta-rs count the rows of each model and shard, "model/shard n", and say which txns the table has.
func counted(t *testing.T, tab *Table, txns ...string) (counts, versions []string) {
	t.Helper()
	var out struct{ Counts, Versions []string }
	const program = `
import sys, json, collections, deltalake
t = deltalake.DeltaTable(sys.argv[1])
a = t.to_pyarrow_table(columns=["model", "shard", "record_id"])
n = collections.Counter(f"{m}/{s}" for m, s in zip(a["model"].to_pylist(), a["shard"].to_pylist()))
print(json.dumps({"Counts": sorted(f"{k} {v}" for k, v in n.items()),
  "Versions": [str(t.transaction_version(x)) for x in sys.argv[2:]]}))
`
	if err := json.Unmarshal([]byte(foreign.Python(t, program, append([]string{tab.Path()}, txns...)...)),
		&out); err != nil {
		t.Fatal(err)
	}
	return out.Counts, out.Versions
}

func TestEachModelHasItsOwnRows(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	commitOf(t, tab, of("a", "0"), of("b", "0"), of("a", "1"))
	res := commitOf(t, tab, of("a", "0"), of("b", "1"), of("b", "0"))
	if res.Rows != 10 {
		t.Errorf("%d rows were committed of one new delivery", res.Rows)
	}
	other := JobKey("generate", "a", "j", "0", []byte("payload of 0"))
	check := func(tab *Table) {
		t.Helper()
		for _, k := range []Key{of("a", "0"), of("a", "1"), of("b", "0"), of("b", "1")} {
			if o := outcome(t, tab, k); o != Committed {
				t.Errorf("%s is %s", k, o)
			}
		}
		if o := outcome(t, tab, other); o != Absent {
			t.Errorf("another task is %s", o)
		}
		for _, model := range []string{"a", "b"} {
			if o := outcome(t, tab, JobKey("embed", model, "j", "0", []byte("another"))); o != Conflict {
				t.Errorf("another payload for model %s is %s", model, o)
			}
		}
		if o := outcome(t, tab, JobKey("embed", "c", "j", "0", []byte("another"))); o != Absent {
			t.Errorf("another payload for a third model is %s", o)
		}
	}
	check(tab)
	if _, err := tab.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(table(t, openStore(t, dir)))
	sound(t, tab)
	counts, versions := counted(t, tab, of("a", "0").short, of("b", "0").AppID, of("a", "0").AppID)
	if want := []string{"a/0 10", "a/1 10", "b/0 10", "b/1 10"}; !slices.Equal(counts, want) {
		t.Errorf("delta-rs counts %v, want %v", counts, want)
	}
	// A daemon of the version before knows the first model's rows by the names that it gave.
	version := fmt.Sprint(of("a", "0").Version)
	if want := []string{version, version, "None"}; !slices.Equal(versions, want) {
		t.Errorf("txns are %v, want %v", versions, want)
	}
}

func TestVerdictsAreOfOneModel(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(of("a", "0")), DeadVerdict(of("b", "1"))}); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]Outcome{"a/0": Dead, "b/1": Dead, "a/1": Absent, "b/0": Absent} {
		model, shard, _ := strings.Cut(k, "/")
		if o := outcome(t, tab, of(model, shard)); o != want {
			t.Errorf("%s is %s, want %s", k, o, want)
		}
	}
	if res := commitOf(t, tab, of("a", "0"), of("b", "0"), of("b", "1")); res.Rows != 10 {
		t.Errorf("%d rows committed beside verdicts", res.Rows)
	}
	if _, err := tab.Judge(t.Context(), []Verdict{CancelVerdict("j", time.Time{})}); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"a", "b", "c"} {
		if o := outcome(t, tab, of(model, "9")); o != Cancelled {
			t.Errorf("model %s of a cancelled job is %s", model, o)
		}
	}
}

func TestOlderNamesAreKnown(t *testing.T) {
	dir, tab := older(t)
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		what string
		key  Key
		want Outcome
	}{
		{"the model that made the rows", of("m", "0"), Committed},
		{"its retry", of("m", "0/r1"), Committed},
		{"a second model", of("n", "0"), Absent},
		{"a second model's retry", of("n", "0/r1"), Absent},
		{"a shard that the second model made", of("other", "4"), Committed},
		{"the same for the first model", of("m", "4"), Absent},
		{"no rows, any model", of("m", "2"), Committed},
		{"no rows, any model", of("n", "2"), Committed},
		{"judged dead", of("m", "3"), Dead},
		{"judged dead, any model", of("n", "3"), Dead},
		{"never seen", of("m", "9"), Absent},
		{"another payload", JobKey("embed", "m", "j", "0", []byte("x")), Conflict},
		{"another payload of a second model", JobKey("embed", "n", "j", "0", []byte("x")), Absent},
		{"a cancelled job", JobKey("embed", "n", "gone", "0", nil), Cancelled},
		{"a sequence", SeqKey("S", at, 5, at, "text"), Committed},
		{"a sequence of a restored stream", SeqKey("S", at, 5, at.Add(time.Second), "text"), Absent},
	} {
		if o := outcome(t, tab, c.key); o != c.want {
			t.Errorf("%s: %s is %s, want %s", c.what, c.key, o, c.want)
		}
	}
	res := commitOf(t, tab, of("m", "0"), of("n", "0"), of("m", "4"), of("m", "9"), of("n", "3"))
	if res.Rows != 30 {
		t.Errorf("%d rows were committed of three new deliveries: %+v", res.Rows, res.Outcomes)
	}
	again := table(t, openStore(t, dir))
	for _, k := range []Key{of("m", "0"), of("n", "0"), of("m", "4"), of("other", "4"), of("m", "9")} {
		if o := outcome(t, again, k); o != Committed {
			t.Errorf("after the commit %s is %s", k, o)
		}
	}
	if o := outcome(t, again, of("n", "9")); o != Absent {
		t.Errorf("a shard that came after the older version is %s for a second model", o)
	}
	if o := outcome(t, again, of("n", "1")); o != Absent {
		t.Errorf("a second model's next shard is %s", o)
	}
	sound(t, again)
	counts, versions := counted(t, again, of("m", "9").short)
	if want := []string{"m/0 10", "m/0/r1 10", "m/1 10", "m/4 10", "m/5 1", "m/9 10", "n/0 10",
		"other/4 2"}; !slices.Equal(counts, want) {
		t.Errorf("delta-rs counts %v, want %v", counts, want)
	}
	if want := fmt.Sprint(of("m", "9").Version); versions[0] != want {
		t.Errorf("for the older version shard 9 is %s, want %s", versions[0], want)
	}
}

// Rows of the time before keys told models apart are deleted, beside those that another model made since: what brought
// them comes again, and must not bring them back, also to a process that never saw them.
func TestDeletedRowsOfOlderNamesStayAway(t *testing.T) {
	dir, tab := older(t)
	if o := outcome(t, tab, of("n", "0")); o != Absent {
		t.Fatalf("the second model's is %s", o)
	}
	if r := commitOf(t, tab, of("n", "0"), of("n", "9")); r.Rows != 20 {
		t.Fatalf("%+v", r)
	}
	if _, err := tab.Rewrite(t.Context(), Rewrite{Operation: "DELETE", Take: Selection{Model: "m"}, Extend: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := table(t, openStore(t, dir))
	for _, c := range []struct {
		key  Key
		want Outcome
	}{
		{of("m", "0"), Committed}, // deleted
		{of("m", "9"), Absent},    // never there: the other model took the older name too
		{of("n", "0"), Committed}, {of("n", "9"), Committed},
		{of("x", "9"), Absent},
	} {
		if o := outcome(t, again, c.key); o != c.want {
			t.Errorf("%s is %s, want %s", c.key, o, c.want)
		}
	}
	if r := commitOf(t, again, of("m", "0"), of("n", "0"), of("n", "9")); r.Rows != 0 {
		t.Errorf("%d rows came back", r.Rows)
	}
	sound(t, again)
}

// An older daemon that commits between a look and a commit: what it did is looked up when the delivery comes again.
func TestOlderDaemonBesideThisOne(t *testing.T) {
	_, tab := older(t)
	late := []Key{of("m", "7"), of("n", "8")}
	for _, k := range late {
		if o := outcome(t, tab, k); o != Absent {
			t.Fatalf("%s is %s", k, o)
		}
	}
	b := begin(t, tab)
	for _, k := range late {
		if err := b.Add(k, rowsOf(strings.TrimPrefix(k.owner, "embed/"), k.shard)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []Key{of("m", "7"), of("m", "8")} { // what the older one does
		commitAsOlder(t, tab, k)
	}
	res := commit(t, b)
	for _, k := range late {
		if res.Outcomes[k.AppID] != Absent || res.Rows != 0 {
			t.Errorf("%s is %s, %d rows", k, res.Outcomes[k.AppID], res.Rows)
		}
	}
	verdicts, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(of("m", "7"))})
	if err != nil || verdicts.Outcomes[of("m", "7").AppID] != Absent {
		t.Errorf("a verdict on it: %+v, %v", verdicts, err)
	}
	if o := outcome(t, tab, late[0]); o != Committed {
		t.Errorf("the same model's is %s", o)
	}
	if o := outcome(t, tab, late[1]); o != Absent {
		t.Errorf("another model's is %s", o)
	}
	if res := commitOf(t, tab, late...); res.Rows != 10 {
		t.Errorf("%d rows", res.Rows)
	}
	sound(t, tab)
}

func commitAsOlder(t *testing.T, tab *Table, k Key) {
	t.Helper()
	h, now := tab.h, time.Now()
	p, err := h.newPart(tab.store.o, EmbeddingFloat32, nil)
	if err == nil {
		err = p.write(sample(k.shard, 10))
	}
	if err == nil {
		err = p.finish()
	}
	if err == nil {
		err = h.placeAll([]*partFile{p}, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = tab.commit(t.Context(), h, change{
		operation: "WRITE",
		decide: func() ([]delta.Action, error) {
			return []delta.Action{txnAction(k.short, k.Version, now.UnixMilli())}, nil
		},
		parts: func() ([]delta.Action, error) { return []delta.Action{{Add: p.add()}}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheJobsOfATableAreKnown(t *testing.T) {
	dir, _ := older(t)
	for job, want := range map[string]bool{"j": true, "k": false} {
		if known, err := KnowsJob(t.Context(), filepath.Join(dir, "docs"), job); err != nil || known != want {
			t.Errorf("job %s: %v, %v", job, known, err)
		}
	}
	if known, err := KnowsJob(t.Context(), filepath.Join(dir, "none"), "j"); err != nil || known {
		t.Errorf("no table: %v, %v", known, err)
	}
}
