package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A mutation is a mistake in the source that the campaign must find. The compiler is given the mistaken files in the place
// of the right ones; nothing in the tree changes.
type mutation struct {
	name    string
	edits   []edit
	spec    Spec
	lost    bool   // some record must be found lost
	doubled bool   // some record must be found twice
	wrong   bool   // some record must be found with another text
	problem string // what some problem must say
}

// edit replaces what occurs once in a file, which is named from the root of the tree.
type edit struct{ file, old, new string }

var mutations = []mutation{
	{
		name: "a prompt goes on from what another one left in its slot", wrong: true,
		edits: []edit{{"models/generate/admit.go", "	for g.shares && n < len(prompt)-1 && n < len(held) && prompt[n] == held[n] {\n", "	for g.shares && n < len(prompt)-1 && n < len(held) {\n"}},
		spec:  Spec{Name: "mistake", Daemons: 1, Kinds: []string{quiet}, Writes: true},
	},
	{
		name: "ack before commit", lost: true,
		edits: []edit{{"daemon/commit/committer.go", "	result, err := batch.Commit(ctx)\n",
			"	for _, r := range members {\n		_ = r.delivery.Message.Ack(ctx)\n	}\n	crash.Point(\"mistake\")\n	result, err := batch.Commit(ctx)\n"}},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{crash}, Points: []point{{"mistake", 2}, {"write", 6}}, Armed: true, NoDead: true},
	},
	{
		name: "settled deliveries are not recognised", doubled: true,
		edits: []edit{{"export/txnindex.go", "func (x *txnIndex) look(k Key) Outcome {\n",
			"func (x *txnIndex) look(k Key) Outcome {\n	if k.Job != \"\" {\n		return Absent\n	}\n"}},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{republish}, NoDead: true},
	},
	{
		name: "a conflict with what another committed is ignored", doubled: true,
		edits: []edit{
			{"export/batchcommit.go", "		outcome := h.txns.look(d.key)\n", "		outcome := Absent\n"},
			{"daemon/commit/committer.go", "	crash.Point(\"before-commit\")\n", "	time.Sleep(400 * time.Millisecond)\n"}, // to be frozen in
		},
		spec: Spec{Name: "mistake", Daemons: 2, Kinds: []string{freeze}, NoDead: true},
	},
	{
		name: "deleted rows that a compaction moved meanwhile stay", doubled: true,
		edits: []edit{
			{"export/examine.go", "	var paths []string\n	for _, a := range e.Adds {\n		s.live[a.Path] = a\n		paths = append(paths, a.Path)\n	}\n",
				"	var paths []string\n	for _, a := range e.Adds {\n		s.live[a.Path] = a\n	}\n"},
			{"export/swap.go", "		s.t.store.o.Point(\"rewrite-placed\")\n", "		if !s.merges {\n			time.Sleep(700 * time.Millisecond)\n		}\n"},
			{"export/swap.go", "	\"sync/atomic\"\n", "	\"sync/atomic\"\n	\"time\"\n"},
		},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{rewritten}, NoDead: true},
	},
	{
		name:    "an entry whose put was not answered is taken for one that is not there",
		problem: "file does not exist",
		edits:   []edit{{"export/storage/object.go", "		return fmt.Errorf(\"%w: %w\", ErrUncertain, err)\n", "		return err\n"}},
		spec:    Spec{Name: "mistake", Daemons: 2, Kinds: []string{lateCommit}, NoDead: true, Bucket: true},
	},
}

// TestTheCampaignFindsMistakes breaks the code on purpose: checks that never fail would prove nothing.
func TestTheCampaignFindsMistakes(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := *built
			c.Binary = filepath.Join(dir, "textmill")
			if err := c.BuildBinary(t.Context(), root(t), overlay(t, dir, m)); err != nil {
				t.Fatal(err)
			}
			c.Seed, c.PerCell, c.Parallel, c.Specs = 7, 10, 1, []Spec{m.spec}
			r := campaign(t, c)
			said := slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, m.problem) })
			if !said || m.lost && r.Lost == 0 || m.doubled && r.Doubled == 0 || m.wrong && r.Wrong == 0 || r.Sound() {
				t.Errorf("the campaign did not see it: %d lost, %d doubled, %d wrong", r.Lost, r.Doubled, r.Wrong)
			}
		})
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// overlay writes the mistaken files, and what tells the compiler of them.
func overlay(t *testing.T, dir string, m mutation) string {
	t.Helper()
	mistaken := map[string]string{}
	for _, e := range m.edits {
		right := filepath.Join(root(t), e.file)
		source, again := mistaken[right]
		if !again {
			data, err := os.ReadFile(right)
			if err != nil {
				t.Fatal(err)
			}
			source = string(data)
		}
		if n := strings.Count(source, e.old); n != 1 {
			t.Fatalf("%s has the lines to mistake %d times", e.file, n)
		}
		mistaken[right] = strings.Replace(source, e.old, e.new, 1)
	}
	replaced := map[string]string{}
	for right, source := range mistaken {
		replaced[right] = filepath.Join(dir, fmt.Sprintf("mistake%d.go", len(replaced)))
		if err := os.WriteFile(replaced[right], []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, encode(map[string]any{"Replace": replaced}), 0o644); err != nil {
		t.Fatal(err)
	}
	return list
}
