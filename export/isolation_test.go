package export

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestIsolationIsKnownToWhoComesNext(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	look := func(tab *Table) (*Isolation, bool, error) {
		return tab.Isolation(t.Context(), key("a"), EmbeddingFloat32)
	}
	if got, died, err := look(tab); got != nil || died || err != nil {
		t.Errorf("before the first: %+v, %v, %v", got, died, err)
	}
	want := &Isolation{Ranges: []int{0, 3, 10}, Running: 1, Deaths: 1, Suspect: 4, Poison: []int{2}}
	save := func(tab *Table, isolation *Isolation) {
		t.Helper()
		if err := tab.SaveIsolation(t.Context(), key("a"), EmbeddingFloat32, isolation); err != nil {
			t.Fatal(err)
		}
	}
	save(tab, want)
	if got, died, err := look(tab); !reflect.DeepEqual(got, want) || died || err != nil {
		t.Errorf("by the same process: %+v, %v, %v", got, died, err)
	}
	other := table(t, openStore(t, dir))
	if _, _, err := look(other); !errors.Is(err, ErrQuarantined) {
		t.Errorf("while its process lives: %v", err)
	}
	die(t, tab)
	if got, died, err := look(other); !reflect.DeepEqual(got, want) || !died || err != nil {
		t.Errorf("after its process died: %+v, %v, %v", got, died, err)
	}
	want.Running = -1
	save(other, want)
	third := table(t, openStore(t, dir))
	if got, died, err := look(third); !reflect.DeepEqual(got, want) || died || err != nil {
		t.Errorf("when nothing runs: %+v, %v, %v", got, died, err)
	}
	want.Waits = true
	save(third, want)
	if got, died, err := look(third); !reflect.DeepEqual(got, want) || died || err != nil {
		t.Errorf("its rows wait in the same process: %+v, %v, %v", got, died, err)
	}
	late := time.Now().Add(2 * heldFor)
	fourth := table(t, openStore(t, dir, func(o *Options) { o.Now = func() time.Time { return late } }))
	if _, _, err := look(other); !errors.Is(err, ErrQuarantined) {
		t.Errorf("its rows wait elsewhere: %v", err)
	}
	if got, died, err := look(fourth); got == nil || got.Waits || died || err != nil {
		t.Errorf("its rows have waited for long: %+v, %v, %v", got, died, err)
	}
	die(t, third)
	if got, died, err := look(other); got == nil || died || err != nil { // it died of something else
		t.Errorf("the process with its rows died: %+v, %v, %v", got, died, err)
	}
	if err := third.EndIsolation(t.Context(), key("a"), EmbeddingFloat32); err != nil {
		t.Fatal(err)
	}
	if got, _, err := look(third); got != nil || err != nil {
		t.Errorf("after its end: %+v, %v", got, err)
	}
}

func TestOldIsolationsAreSwept(t *testing.T) {
	store := openStore(t, t.TempDir())
	tab := table(t, store)
	for age, want := range map[time.Duration]bool{time.Hour: true, 31 * 24 * time.Hour: false} {
		idle := &Isolation{Ranges: []int{0, 1}, Running: -1}
		if err := tab.SaveIsolation(t.Context(), key("a"), EmbeddingFloat32, idle); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(tab.Path(), "_textmill", isolationName(key("a"))), at, at); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _, err := tab.Isolation(t.Context(), key("a"), EmbeddingFloat32); err != nil || (got != nil) != want {
			t.Errorf("an isolation of %v is kept: %v (%v), want %v", age, got != nil, err, want)
		}
	}
}

func FuzzParseIsolation(f *testing.F) {
	f.Add([]byte(`{"ranges":[0,3,10],"running":1,"deaths":1,"accused":4,"guilty":[2],"owner":"0123456789abcdef"}`))
	f.Add([]byte(`{"ranges":[0,0],"running":0}`))
	f.Add([]byte(`{"ranges":[0,9],"running":7,"owner":"../../x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		isolation, err := parseIsolation(data)
		if err != nil {
			return
		}
		if isolation.Running >= 0 && isolation.Ranges[isolation.Running+1] <= isolation.Ranges[isolation.Running] {
			t.Errorf("an empty range runs: %+v", isolation)
		}
	})
}
