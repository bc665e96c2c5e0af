package export

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCommitOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	tab := table(t, s)
	if v := tab.Version(); v != -1 {
		t.Errorf("version %d before there is a table", v)
	}
	res := put(t, tab, "a", "b")
	if res.Version != 1 || res.Rows != 20 || res.Outcomes[key("a").AppID] != Committed {
		t.Errorf("%+v", res)
	}
	again := put(t, tab, "b", "c")
	if again.Rows != 10 || again.Outcomes[key("b").AppID] != Committed {
		t.Errorf("%+v", again)
	}
	if none := put(t, tab, "a"); none.Rows != 0 || none.Version != again.Version {
		t.Errorf("a batch of nothing new: %+v", none)
	}
	if o := outcome(t, tab, JobKey("embed", "m", "j", "a", []byte("another payload"))); o != Conflict {
		t.Errorf("another payload under the same key is %v", o)
	}
	holds(t, tab, "a", "b", "c")
	if err := tab.SyncEntry(t.Context(), key("a")); err != nil {
		t.Error(err)
	}
	if err := tab.SyncEntry(t.Context(), key("x")); !errors.Is(err, ErrGone) {
		t.Errorf("sync of what is not there: %v", err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	tab := table(t, s)
	b := begin(t, tab)
	add(t, b, "a")
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	if err := sp.Append(sample("big", 10)); err != nil {
		t.Fatal(err)
	}
	sp.Abort()
	sp.Abort()
	b.Abort()
	b.Abort()
	if _, err := b.Commit(t.Context()); err == nil {
		t.Error("an aborted batch was committed")
	}
	if got := files(t, tab); len(got) != 1 || filepath.Ext(got[0]) != ".lock" {
		t.Errorf("left: %v", got)
	}
	b = begin(t, tab)
	add(t, b, "a")
	commit(t, b)
	b.Abort()
	holds(t, tab, "a")
}

func TestSpoolFillsSeveralPartsOfOneCommit(t *testing.T) {
	s := openStore(t, t.TempDir(), func(o *Options) { o.PartBytes = 20_000 })
	tab := table(t, s)
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Abort()
	rows := sample("big", 1000)
	for i := 0; i < len(rows); i += 50 {
		if err := sp.Append(rows[i : i+50]); err != nil {
			t.Fatal(err)
		}
	}
	put(t, tab, "between") // a spool does not hold up others
	b := begin(t, tab)
	add(t, b, "a")
	if err := b.AddSpool(sp); err != nil {
		t.Fatal(err)
	}
	if err := b.AddSpool(sp); err == nil {
		t.Error("a spool went into a batch twice")
	}
	if err := b.Add(key("big"), nil); !errors.Is(err, ErrRepeated) {
		t.Errorf("the same key twice: %v", err)
	}
	if res := commit(t, b); res.Rows != 1010 || res.Version != 2 {
		t.Errorf("%+v", res)
	}
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files) < 5 || in.Rows != 1020 {
		t.Errorf("%d files, %d rows", len(in.Files), in.Rows)
	}
	if ids := sound(t, tab); len(ids) != 1020 {
		t.Errorf("%d rows", len(ids))
	}
}

func TestRowsThatNoReaderCouldReadAreRefused(t *testing.T) {
	s := openStore(t, t.TempDir())
	tab := table(t, s)
	b := begin(t, tab)
	for name, spoil := range map[string]func(*Row){
		"text":      func(r *Row) { r.Text = Some("a\xffb") },
		"attribute": func(r *Row) { r.Attributes = map[string]string{"k": "\xc0"} },
		"embedding": func(r *Row) { r.Embedding8 = []int8{1} },
		"date":      func(r *Row) { r.CreatedAt = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		rows := sample("bad", 3)
		spoil(&rows[1])
		if err := b.Add(key("bad"), rows); !errors.Is(err, ErrRow) {
			t.Errorf("%s: %v", name, err)
		}
	}
	add(t, b, "good")
	commit(t, b)
	holds(t, tab, "good")
}

func TestNullsAndExtremesComeBack(t *testing.T) {
	s := openStore(t, t.TempDir())
	tab := table(t, s)
	b := begin(t, tab)
	rows := []Row{
		{},
		{RecordID: "empty", Text: Some(""), Attributes: map[string]string{}, InputIDs: []int32{}, Embedding: []float32{}},
		{RecordID: "edge", Text: Some("a\x00b"), Seed: Some[int64](math.MinInt64), Norm: Some(math.Inf(1)),
			Chunk: Some[int32](0), Truncated: Some(false), Embedding: []float32{0, -0.5, math.MaxFloat32}},
	}
	if err := b.Add(key("x"), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	got := map[string]Row{}
	err := Scan(t.Context(), tab.Path(), func(rows []Row) error {
		for _, r := range rows {
			got[r.RecordID] = r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := got[""]; r.Text.Valid || r.Chunk.Valid || r.Embedding != nil || !r.CreatedAt.IsZero() {
		t.Errorf("nulls came back as %+v", r)
	}
	if r := got["empty"]; !r.Text.Valid || r.Text.V != "" {
		t.Errorf("an empty text came back as %+v", r.Text)
	}
	r := got["edge"]
	if r.Text.V != "a\x00b" || r.Seed.V != math.MinInt64 || !math.IsInf(r.Norm.V, 1) || !r.Chunk.Valid ||
		!r.Truncated.Valid || r.Embedding[2] != math.MaxFloat32 {
		t.Errorf("extremes came back as %+v", r)
	}
}

func TestKindIsBoundByTheFirstRows(t *testing.T) {
	s := openStore(t, t.TempDir())
	tab := table(t, s)
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(key("d"))}); err != nil {
		t.Fatal(err)
	}
	b, err := tab.Begin(t.Context(), EmbeddingInt8) // the table exists, but never had rows
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	if err := b.Add(key("a"), []Row{{RecordID: "a", Embedding8: []int8{-128, 0, 127}}}); err != nil {
		t.Fatal(err)
	}
	late := begin(t, tab) // likewise, but it will lose the race
	add(t, late, "b")
	commit(t, b)
	if _, err := late.Commit(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("floats after bytes: %v", err)
	}
	if _, err := tab.Begin(t.Context(), EmbeddingFloat32); !errors.Is(err, ErrSchema) {
		t.Errorf("begin of floats: %v", err)
	}
	if o := outcome(t, tab, key("d")); o != Dead {
		t.Errorf("the verdict is %v", o)
	}
	if ids := sound(t, tab); len(ids) != 1 {
		t.Errorf("rows %v", ids)
	}
}

func TestNamesCannotLeaveTheStore(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, name := range []string{"", "..", "../x", "a/b", "a.b", "/etc", "a\x00", string(make([]byte, 65))} {
		if _, err := s.Table(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// A symbolic link in the store is not followed.
	out := t.TempDir()
	if err := os.Symlink(out, filepath.Join(s.Path(), "link")); err != nil {
		t.Fatal(err)
	}
	tab, err := s.Table("link")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := tab.Begin(t.Context(), EmbeddingFloat32); err == nil {
		b.Abort()
		t.Error("a table was made through a symbolic link")
	}
	for _, uri := range []string{"", "s3://bucket/x", "file://host/x"} {
		if _, err := OpenStore(Options{URI: uri}); err == nil {
			t.Errorf("%q was opened", uri)
		}
	}
}
