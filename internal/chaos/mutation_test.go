package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A mutation is a mistake in the source that the campaign must find. The compiler is given the mistaken file in the place
// of the right one; nothing in the tree changes.
type mutation struct {
	name     string
	file     string // from the root of the tree
	old, new string
	spec     Spec
	lost     bool // some record must be found lost
	doubled  bool // some record must be found twice
}

var mutations = []mutation{
	{
		name: "ack before commit", file: "daemon/committer.go", lost: true,
		old:  "	result, err := batch.Commit(ctx)\n",
		new:  "	for _, f := range members {\n		_ = f.delivery.Ack(ctx)\n	}\n	crash.Point(\"mistake\")\n	result, err := batch.Commit(ctx)\n",
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{crash}, Points: []point{{"mistake", 2}, {"write", 6}}, Armed: true, NoDead: true},
	},
	{
		name: "settled deliveries are not recognised", file: "export/ledger.go", doubled: true,
		old:  "func (l *ledger) look(k Key) Outcome {\n",
		new:  "func (l *ledger) look(k Key) Outcome {\n	if k.Job != \"\" {\n		return Absent\n	}\n",
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{republish}, NoDead: true},
	},
	{
		name: "a conflict over a log entry is ignored", file: "export/delta/log.go", lost: true,
		old:  "	linkErr := tempDir.Link(temp, l.dir, EntryName(version))\n",
		new:  "	for range 2000 { // time enough for another to be faster\n		_, _ = l.dir.Names()\n	}\n	_ = l.dir.Unlink(EntryName(version))\n	linkErr := tempDir.Link(temp, l.dir, EntryName(version))\n",
		spec: Spec{Name: "mistake", Daemons: 2, Kinds: []string{republish}, NoDead: true},
	},
}

// TestTheCampaignFindsMistakes breaks the code on purpose: checks that never fail would prove nothing.
func TestTheCampaignFindsMistakes(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			c := *built
			c.Binary = filepath.Join(dir, "textmill")
			if err := c.BuildBinary(t.Context(), root(t), overlay(t, dir, m)); err != nil {
				t.Fatal(err)
			}
			c.Seed, c.PerCell, c.Parallel, c.Specs = 7, 6, 1, []Spec{m.spec}
			r := campaign(t, c)
			if m.lost && r.Lost == 0 || m.doubled && r.Doubled == 0 || r.Sound() {
				t.Errorf("the campaign did not see it: %d lost, %d doubled", r.Lost, r.Doubled)
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

// overlay writes the mistaken file, and what tells the compiler of it.
func overlay(t *testing.T, dir string, m mutation) string {
	t.Helper()
	right := filepath.Join(root(t), m.file)
	source, err := os.ReadFile(right)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has the line to mistake %d times", m.file, n)
	}
	wrong, list := filepath.Join(dir, "mistake.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, encode(map[string]any{"Replace": json.RawMessage(encode(map[string]string{right: wrong}))}), 0o644); err != nil {
		t.Fatal(err)
	}
	return list
}
