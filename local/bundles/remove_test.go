package bundles

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/config"
	"textmill/ground/places"
)

// Removed models are gone with all of their files, damaged ones and what a link leads to as asked, and a name that is
// none of the cache's costs no other.
func TestRemovedModelsAreGone(t *testing.T) {
	cfg, err := config.Load(config.Options{Set: []string{"home=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bert", "llama", "damaged"} {
		o := ImportOptions{Source: "../../models/checkpoint/testdata/tiny/bert", Name: name, Out: io.Discard, Progress: io.Discard}
		if err := Import(t.Context(), cfg, o); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := t.TempDir()
	for _, err := range []error{
		os.Truncate(filepath.Join(places.Model(cfg.Home, "damaged"), "config.json"), 1),
		os.WriteFile(filepath.Join(elsewhere, "kept"), nil, 0o600),
		os.Symlink(elsewhere, places.Model(cfg.Home, "linked")),
		os.WriteFile(places.Model(cfg.Home, "file"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg.Models = map[string]config.Model{"own": {Path: elsewhere}}
	left := func() (names []string) {
		t.Helper()
		entries, err := os.ReadDir(places.Models(cfg.Home))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	all := []string{"bert", "damaged", "file", "linked", "llama"}
	for name, want := range map[string]string{
		"nobody": "no model nobody in", "own": "which stays", "file": "is no folder of a model", "../tables": "the name",
		"": "the name",
	} {
		err := Remove(cfg, []string{"bert", name}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
		if got := left(); !slices.Equal(got, all) {
			t.Fatalf("%q: %v are left", name, got)
		}
	}
	var out bytes.Buffer
	if err := Remove(cfg, []string{"bert", "damaged", "linked"}, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "removed "); got != 3 {
		t.Errorf("it said %q", out.String())
	}
	if got := left(); !slices.Equal(got, []string{"file", "llama"}) {
		t.Errorf("%v are left", got)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "kept")); err != nil {
		t.Errorf("what a link led to: %v", err)
	}
}
