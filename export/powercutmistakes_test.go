package export

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/export/disk"
)

// The checks of power cuts are worth nothing if they pass whatever the code does. Each mutation is a mistake that they
// must find.
func TestPowerCutsFindMistakes(t *testing.T) {
	skip := func(kind disk.Kind, name string) func(disk.Intercept) disk.Intercept {
		return func(around disk.Intercept) disk.Intercept {
			return func(op *disk.Op, do func() error) error {
				if op.Kind == kind && strings.HasSuffix(op.Dir, name) {
					return nil // as if it had been done
				}
				return around(op, do)
			}
		}
	}
	shards := []string{"a", "b", "c", "d", "big", "e", "f"}
	for name, change := range map[string]func(disk.Intercept) disk.Intercept{
		"files are not synced":             skip(disk.OpSync, ""),
		"the table's names are not synced": skip(disk.OpSyncDir, "/docs"),
		"the log's names are not synced":   skip(disk.OpSyncDir, "/_delta_log"),
		"the root's names are not synced":  skip(disk.OpSyncDir, "/tables"),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, shards...)
			h.work(t, change(h.rec.Around))
			if len(h.everywhere(t)) == 0 {
				t.Error("no power cut shows it")
			}
		})
	}
	t.Run("acked before it is committed", func(t *testing.T) {
		h := newHistory(t, shards...)
		h.work(t, h.rec.Around)
		for shard := range h.acked {
			h.acked[shard] -= 12
		}
		if len(h.everywhere(t)) == 0 {
			t.Error("no power cut shows it")
		}
	})
	t.Run("a skipped delivery is acked before its entry is synced", func(t *testing.T) {
		mistaken := skip(disk.OpSyncAll, "")
		if len(takeOvers(t, mistaken)) == 0 {
			t.Error("no power cut shows it")
		}
	})
	t.Run("an entry is linked over another's", func(t *testing.T) {
		h := newHistory(t, shards...)
		if !slices.ContainsFunc(overwritten(t, h), func(w string) bool { return strings.Contains(w, "rows") }) {
			t.Error("no check shows it")
		}
	})
}

// overwritten has a daemon commit at the moment when another is about to, and link its entry over the first one's.
func overwritten(t *testing.T, h *history) []string {
	t.Helper()
	other, err := h.open(h.rec.Root(), nil)
	if err != nil {
		t.Fatal(err)
	}
	racing := false
	s, err := h.open(h.rec.Root(), func(op *disk.Op, do func() error) error {
		if op.Kind != disk.OpLink || !racing {
			return do()
		}
		racing = false
		put(t, table(t, other), "c")
		return os.Rename(filepath.Join(op.Dir, op.Name), op.To)
	})
	if err != nil {
		t.Fatal(err)
	}
	tab := table(t, s)
	put(t, tab, "a")
	b := begin(t, tab)
	add(t, b, "b")
	racing = true
	commit(t, b)
	for _, shard := range []string{"a", "b", "d", "big", "e", "f"} { // c was acked by the other
		if err := tryPut(t, tab, shard); err != nil {
			t.Fatal(err)
		}
	}
	wrong := h.unsound(t, tab)
	if err := errors.Join(s.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	return wrong
}
