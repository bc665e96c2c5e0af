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

	"textmill/internal/foreign"
)

var (
	float8   = Vectors{Precision: "float32", Dim: 8}
	float16  = Vectors{Precision: "float32", Dim: 16}
	perToken = Vectors{Precision: "float32", Dim: 8, PerToken: true}
	int8s    = Vectors{Precision: "int8", Dim: 8}
	bits8    = Vectors{Precision: "binary", Dim: 8}
	ranged   = Vectors{Precision: "int8", Dim: 8, Ranges: "AAAA-_08"}
	others   = Vectors{Precision: "int8", Dim: 8, Ranges: "AAAA-_09"}
)

// rowsWith are rows with such vectors.
func rowsWith(shard string, v Vectors) []Row {
	rows := sample(shard, 10)
	for i := range rows {
		r, n := &rows[i], v.Dim
		r.Embedding, r.Dim = nil, Some(int32(v.Dim))
		if v.PerToken {
			n *= 3
		}
		switch v.Precision {
		case "float32":
			r.Embedding = make([]float32, n)
		case "int8":
			r.Embedding8 = make([]int8, n)
		case "binary":
			r.Embedding8 = make([]int8, (n+7)/8)
		default:
			r.Dim, r.Error = Null[int32]{}, "too_long: x"
		}
	}
	return rows
}

// write commits a shard of rows whose job makes v; failed ones have no vector.
func write(t *testing.T, tab *Table, shard string, v Vectors, failed bool) error {
	t.Helper()
	b, err := tab.Begin(t.Context(), v.Kind())
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := b.Bind(t.Context(), v); err != nil {
		return err
	}
	made := v
	if failed {
		made = Vectors{}
	}
	if err := b.Add(key(shard), rowsWith(shard, made)); err != nil {
		t.Fatal(err)
	}
	_, err = b.Commit(t.Context())
	return err
}

func TestATableHoldsVectorsOfOneKind(t *testing.T) {
	all := []Vectors{float8, float16, perToken, int8s, bits8, ranged, others}
	for _, first := range all {
		t.Run(first.Property(), func(t *testing.T) {
			tab := table(t, openStore(t, t.TempDir()))
			if first.Kind() == EmbeddingFloat32 { // rows without vectors fix the column's type, and nothing else
				if err := errors.Join(write(t, tab, "none", Vectors{}, false),
					write(t, tab, "failed", float16, true)); err != nil {
					t.Fatal(err)
				}
			}
			if err := write(t, tab, "first", first, false); err != nil {
				t.Fatal(err)
			}
			for i, next := range all {
				err := write(t, tab, fmt.Sprint(i), next, false)
				if next == first && err != nil {
					t.Error(err)
				}
				if next != first && !errors.Is(err, ErrSchema) {
					t.Errorf("%s after %s: %v", next, first, err)
				}
				if next != first && next.Kind() == first.Kind() &&
					!(strings.Contains(err.Error(), next.String()) && strings.Contains(err.Error(), first.String())) {
					t.Errorf("the reason does not name both: %v", err)
				}
				for what, got := range map[string]error{"Accepts": tab.Accepts(t.Context(), next),
					"Fits": Fits(t.Context(), tab.Path(), next)} {
					if errors.Is(got, ErrSchema) != (next != first) {
						t.Errorf("%s of %s: %v", what, next, got)
					}
				}
			}
			if err := write(t, tab, "without", Vectors{}, false); err != nil {
				t.Errorf("rows without vectors: %v", err)
			}
			in, err := Inspect(t.Context(), tab.Path())
			if err != nil || in.Vectors != first {
				t.Errorf("it is bound to %s, %v", in.Vectors, err)
			}
			sound(t, tab)
		})
	}
	if err := Fits(t.Context(), filepath.Join(t.TempDir(), "none"), float8); err != nil {
		t.Errorf("a table that does not exist: %v", err)
	}
}

// Two daemons whose first vectors differ: one binds the table, the other is told, whichever is first.
func TestTheLogDecidesWhoBindsATable(t *testing.T) {
	dir := t.TempDir()
	one, two := table(t, openStore(t, dir)), table(t, openStore(t, dir))
	batch := func(tab *Table, v Vectors, shards ...string) *Batch {
		b := begin(t, tab)
		err := b.Bind(t.Context(), v)
		for _, s := range shards {
			err = errors.Join(err, b.Add(key(s), rowsWith(s, v)))
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := batch(one, float8, "a"), batch(two, float16, "b", "c")
	commit(t, a)
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("the second one: %v", err)
	}
	b.Abort()
	if err := two.Accepts(t.Context(), float16); !errors.Is(err, ErrSchema) {
		t.Errorf("afterwards it knows: %v", err)
	}
	holds(t, two, "a")
}

// What delta-rs does to a table leaves the binding, and its readers do not mind it.
func TestABoundTableIsMaintainedByDeltaRs(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	for i := range 3 {
		if err := write(t, tab, fmt.Sprint(i), float8, false); err != nil {
			t.Fatal(err)
		}
	}
	out := foreign.Python(t, `
import sys, json, deltalake
t = deltalake.DeltaTable(sys.argv[1])
t.optimize.compact()
t.create_checkpoint()
t.delete("shard = '1'")
t.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
t = deltalake.DeltaTable(sys.argv[1])
print(json.dumps([t.to_pyarrow_table().num_rows, t.metadata().configuration]))
`, tab.Path())
	var rows int
	var properties map[string]string
	if err := json.Unmarshal([]byte(out), &[]any{&rows, &properties}); err != nil || rows != 20 ||
		properties["textmill.vectors"] != "float32/8" {
		t.Errorf("%s, %v", out, err)
	}
	again := table(t, openStore(t, dir))
	if err := write(t, again, "other", float16, false); !errors.Is(err, ErrSchema) {
		t.Errorf("other vectors after maintenance: %v", err)
	}
	if err := write(t, again, "more", float8, false); err != nil {
		t.Error(err)
	}
	if got := sound(t, again); len(got) != 30 {
		t.Errorf("%d rows, want 30", len(got))
	}
}

// Tables of before are bound to what they hold; those that mix stay writable.
func TestOlderTablesAreBoundToWhatTheyHold(t *testing.T) {
	unbound := func(held ...Vectors) *Table {
		dir := t.TempDir()
		tab := table(t, openStore(t, dir))
		for i, v := range held {
			b, err := tab.Begin(t.Context(), v.Kind()) // without Bind, as before
			if err == nil {
				err = b.Add(key(fmt.Sprint(i)), rowsWith(fmt.Sprint(i), v))
			}
			if err != nil {
				t.Fatal(err)
			}
			commit(t, b)
		}
		return table(t, openStore(t, dir))
	}
	for _, c := range []struct {
		held, takes []Vectors
		bound       bool
	}{
		{[]Vectors{float8, float8}, []Vectors{float8}, true},
		{[]Vectors{perToken}, []Vectors{perToken}, true},
		{[]Vectors{int8s}, []Vectors{int8s}, true},
		{[]Vectors{bits8}, []Vectors{bits8}, true},
		{[]Vectors{{}}, []Vectors{float8, float16, perToken}, true},
		{[]Vectors{float8, float16}, []Vectors{float8, float16, perToken}, false},
		{[]Vectors{float8, perToken}, []Vectors{float8, float16, perToken}, false},
		{[]Vectors{int8s, bits8}, []Vectors{int8s, bits8}, false},
	} {
		for _, v := range []Vectors{float8, float16, perToken, int8s, bits8} {
			tab := unbound(c.held...)
			fits := Fits(t.Context(), tab.Path(), v)
			err := write(t, tab, "new", v, false)
			if want := slices.Contains(c.takes, v); (err == nil) != want || err != nil && !errors.Is(err, ErrSchema) ||
				(fits == nil) != want {
				t.Errorf("%v takes %s: %v, Fits says %v", c.held, v, err, fits)
			}
			in, inErr := Inspect(t.Context(), tab.Path())
			if inErr != nil || err == nil && (in.Vectors == v) != c.bound {
				t.Errorf("%v after %s is bound to %s, %v", c.held, v, in.Vectors, inErr)
			}
		}
	}
}

func TestABindingOfALaterVersionIsRefused(t *testing.T) {
	for _, s := range []string{"", "float32", "float32/0", "float32/08", "float64/8", "float32/8/tokens",
		"float32/8/token/x", "int8/8/ranges:", "int8/8/ranges:A/token", "int8/8/ranges:A/ranges:B"} {
		if v, err := parseVectors(s); err == nil {
			t.Errorf("%q is %s", s, v)
		}
	}
	for _, v := range []Vectors{float8, perToken, int8s, {Precision: "ubinary", Dim: 1024}, ranged} {
		if got, err := parseVectors(v.Property()); got != v || err != nil {
			t.Errorf("%s becomes %s, %v", v, got, err)
		}
	}
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	if err := write(t, tab, "0", float8, false); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(tab.Path(), "_delta_log", "*1.json"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	entry, err := os.ReadFile(names[0])
	if err == nil {
		err = os.WriteFile(names[0], []byte(strings.Replace(string(entry), "float32/8", "float16/8", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, table(t, openStore(t, dir)), "1", float8, false); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "float16/8") {
		t.Errorf("%v", err)
	}
}
