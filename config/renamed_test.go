package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Keys of the version before are read for one version, wherever they stand, with a warning that names their successors.
func TestKeysThatAreGoneWarnAndMeanTheirSuccessors(t *testing.T) {
	renamed = map[string]successor{
		"export.every":      {To: "export.commit_interval"},
		"roots":             {To: "input.roots"},
		"queue":             {Why: "there is one queue"},
		"models.*.parallel": {To: "models.*.threads"},
	}
	t.Cleanup(func() { renamed = map[string]successor{} })
	root, home := t.TempDir(), "home="+t.TempDir()
	file := write(t, "export: {every: 7s}\nroots: ["+root+"]\nqueue: {a: 1}\nmodels: {m: {parallel: 3}}\n")
	for name, tc := range map[string]struct {
		o     Options
		warns []string
	}{
		"file": {Options{Path: file, Set: []string{home}}, []string{
			file + ":1: export.every is now export.commit_interval; the next version will not know the old name",
			file + ":2: roots is now input.roots;", file + ":3: queue is gone and does nothing: there is one queue", file + ":4: models.m.parallel is now models.m.threads;",
		}},
		"environment": {Options{Env: []string{"TEXTMILL_EXPORT_EVERY=7s", "TEXTMILL_ROOTS=" + root, "TEXTMILL_QUEUE=x", "TEXTMILL_MODELS_M_PARALLEL=3"}, Set: []string{home, "models.m.slots=0"}}, []string{
			"environment TEXTMILL_EXPORT_EVERY: export.every is now", "environment TEXTMILL_MODELS_M_PARALLEL: models.m.parallel is now models.m.threads",
			"environment TEXTMILL_QUEUE: queue is gone", "environment TEXTMILL_ROOTS: roots is now",
		}},
		"flags": {Options{Set: []string{home, "export.every=7s", "roots=" + root, "queue=x", "models.m.parallel=3"}}, []string{
			"--set: export.every is now", "--set: roots is now", "--set: queue is gone", "--set: models.m.parallel is now models.m.threads",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, tc.o)
			if c.Export.CommitInterval != 7*time.Second || !slices.Equal(c.Input.Roots, []string{root}) || c.Models["m"].Threads != 3 {
				t.Errorf("it means %v, %v, %+v", c.Export.CommitInterval, c.Input.Roots, c.Models["m"])
			}
			got := c.Notices()
			if len(got) != len(tc.warns) {
				t.Fatalf("warnings %q", got)
			}
			for i, want := range tc.warns {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("warning %q, want %q", got[i], want)
				}
			}
		})
	}
	both := load(t, Options{Path: write(t, "export: {every: 7s, commit_interval: 8s}\n"), Env: []string{"TEXTMILL_ROOTS=/nowhere", "TEXTMILL_INPUT_ROOTS=" + root}, Set: []string{home}})
	if both.Export.CommitInterval != 8*time.Second || !slices.Equal(both.Input.Roots, []string{root}) {
		t.Errorf("beside its successor an old key wins: %v, %v", both.Export.CommitInterval, both.Input.Roots)
	}
	if _, err := Load(Options{Path: write(t, "export: {every: soon}\n")}); err == nil || !strings.Contains(err.Error(), "export.commit_interval") {
		t.Errorf("a bad value: %v", err)
	}
}

// The table speaks of keys that are gone, and of ones that there are.
func TestSuccessorsAreKeys(t *testing.T) {
	c := Default()
	c.Models = map[string]Model{"*": {}}
	var known []string
	for _, l := range leaves(&c) {
		known = append(known, l.path)
	}
	for path, now := range renamed {
		if slices.Contains(known, path) || now.To != "" && !slices.Contains(known, now.To) || (now.To == "") == (now.Why == "") {
			t.Errorf("%s: %+v", path, now)
		}
	}
}
