package export

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSweepTakesOnlyWhatTheDeadLeft(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	tab := table(t, s)
	put(t, tab, "a")
	alive := begin(t, tab)
	add(t, alive, "b")
	const dead = "0123456789abcdef"
	left := []string{
		filepath.Join(tab.Path(), "textmill-"+dead+"-1.parquet"),
		filepath.Join(tab.Path(), "_textmill", dead+"-2.tmp"),
		filepath.Join(tab.Path(), "_textmill", dead+".lock"),
	}
	foreign := filepath.Join(tab.Path(), "somebody-elses.parquet")
	for _, name := range append(left, foreign) {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "no-table"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	removed, err := openStore(t, dir).Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(removed)
	if want := []string{left[1], left[0]}; !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v", removed, want)
	}
	for _, name := range left {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	commit(t, alive)
	holds(t, tab, "a", "b")
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, tab *Table, file string){
		"missing file": func(t *testing.T, _ *Table, file string) { must(t, os.Remove(file)) },
		"cut file":     func(t *testing.T, _ *Table, file string) { must(t, os.Truncate(file, 500)) },
		"bytes changed": func(t *testing.T, _ *Table, file string) {
			data, err := os.ReadFile(file)
			must(t, err)
			for i := 4; i < 2000; i += 7 {
				data[i] ^= 0x55
			}
			must(t, os.WriteFile(file, data, 0o644))
		},
		"rows twice": func(t *testing.T, tab *Table, _ string) {
			b := begin(t, tab)
			if err := b.Add(key("other"), sample("a", 10)); err != nil {
				t.Fatal(err)
			}
			commit(t, b)
		},
		"gap in the log": func(t *testing.T, tab *Table, _ string) {
			put(t, tab, "b")
			_, err := tab.Checkpoint(t.Context())
			must(t, err)
			put(t, tab, "c")
			must(t, os.Remove(filepath.Join(tab.Path(), "_delta_log", "00000000000000000001.json")))
		},
		"torn entry below a checkpoint": func(t *testing.T, tab *Table, _ string) {
			put(t, tab, "b")
			_, err := tab.Checkpoint(t.Context())
			must(t, err)
			must(t, os.Truncate(filepath.Join(tab.Path(), "_delta_log", "00000000000000000001.json"), 50))
		},
	} {
		t.Run(name, func(t *testing.T) {
			tab := table(t, openStore(t, t.TempDir()))
			put(t, tab, "a")
			in, err := Inspect(t.Context(), tab.Path())
			must(t, err)
			spoil(t, tab, in.Files[0].Path)
			v, err := Verify(t.Context(), tab.Path())
			must(t, err)
			if len(v.Problems) == 0 {
				t.Error("nothing was found")
			}
			t.Log(v.Problems)
		})
	}
}

// Tables of more rows than are compared at once take several passes, which find the same.
func TestRepeatsAreFoundInSeveralPasses(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a", "b")
	b := begin(t, tab)
	if err := b.Add(key("other"), sample("a", 3)); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	v, err := openView(t.Context(), tab.Path())
	must(t, err)
	defer v.close()
	in, err := v.inspect()
	must(t, err)
	for _, passes := range []uint64{1, 2, 7} {
		out := &Verification{Inspection: in}
		must(t, v.findRepeats(t.Context(), in.Files, passes, out))
		if len(out.Problems) != 3 {
			t.Errorf("%d passes found %v", passes, out.Problems)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Parts are committed only while the lock is held under which they were made: once its file is removed a sweep may take them,
// also when this process has taken another lock since.
func TestPartsOfALostLockAreNotCommitted(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	lost := begin(t, tab)
	add(t, lost, "b")
	locks, err := filepath.Glob(filepath.Join(tab.Path(), "_textmill", "*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("locks are %v, %v", locks, err)
	}
	must(t, os.Remove(locks[0]))
	put(t, tab, "c")
	if _, err := lost.Commit(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("commit: %v", err)
	}
	put(t, tab, "b")
	holds(t, tab, "a", "b", "c")
}
