package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A mutation is a mistake in the source that the campaign must find. All of them are in one binary, where CRASH_MISTAKE says
// which is made; the compiler is given the mistaken files in the place of the right ones, and nothing in the tree changes.
type mutation struct {
	name    string
	edits   []edit
	spec    Spec
	lost    bool   // some record must be found lost
	doubled bool   // some record must be found twice
	wrong   bool   // some record must be found with another text
	problem string // what some problem must say
}

// edit replaces what occurs once in a file, which is named from the root of the tree. In the new lines MADE is whether the
// mistake is.
type edit struct{ file, old, new string }

var mutations = []mutation{
	{
		name: "a prompt goes on from what another one left in its slot", wrong: true,
		edits: []edit{{"models/generate/admit.go", "n < len(held) && prompt[n] == held[n] {\n", "n < len(held) && (MADE || prompt[n] == held[n]) {\n"}},
		spec:  Spec{Name: "mistake", Daemons: 1, Kinds: []string{quiet}, Writes: true},
	},
	{
		name: "ack before commit", lost: true,
		edits: []edit{{"daemon/commit/committer.go", "	result, err := batch.Commit(ctx)\n",
			"	if MADE {\n		for _, r := range members {\n			_ = r.delivery.Message.Ack(ctx)\n		}\n		crash.Point(\"mistake\")\n	}\n	result, err := batch.Commit(ctx)\n"}},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{crash}, Points: []point{{"mistake", 2}, {"write", 6}}, Armed: true, NoDead: true},
	},
	{
		name: "settled deliveries are not recognised", doubled: true,
		edits: []edit{{"export/txnindex.go", "func (x *txnIndex) look(k Key) Outcome {\n",
			"func (x *txnIndex) look(k Key) Outcome {\n	if MADE && k.Job != \"\" {\n		return Absent\n	}\n"}},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{republish}, NoDead: true},
	},
	{
		name: "a conflict with what another committed is ignored", doubled: true,
		edits: []edit{
			{"export/batchcommit.go", "		outcome := h.txns.look(d.key)\n", "		outcome := h.txns.look(d.key)\n		if MADE {\n			outcome = Absent\n		}\n"},
			{"daemon/commit/committer.go", "	crash.Point(\"before-commit\")\n",
				"	crash.Point(\"before-commit\")\n	if MADE {\n		time.Sleep(400 * time.Millisecond)\n	}\n"}, // to be frozen in
		},
		spec: Spec{Name: "mistake", Daemons: 2, Kinds: []string{freeze}, NoDead: true},
	},
	{
		name: "deleted rows that a compaction moved meanwhile stay", doubled: true,
		edits: []edit{
			{"export/examine.go", "		files = append(files, examinedFile(a))\n",
				"		if !MADE {\n			files = append(files, examinedFile(a))\n		}\n"},
			{"export/swap.go", "		s.t.store.o.Point(\"rewrite-placed\")\n",
				"		s.t.store.o.Point(\"rewrite-placed\")\n		if MADE && !s.merges {\n			time.Sleep(700 * time.Millisecond)\n		}\n"},
			{"export/swap.go", "	\"sync/atomic\"\n", "	\"sync/atomic\"\n	\"time\"\n"},
		},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{rewritten}, NoDead: true},
	},
	{
		name:    "an entry whose put was not answered is taken for one that is not there",
		problem: "file does not exist",
		edits: []edit{{"export/storage/object.go", "		return fmt.Errorf(\"%w: %w\", ErrUncertain, err)\n",
			"		if MADE {\n			return err\n		}\n		return fmt.Errorf(\"%w: %w\", ErrUncertain, err)\n"}},
		spec: Spec{Name: "mistake", Daemons: 2, Kinds: []string{lateCommit}, NoDead: true, Bucket: true},
	},
	{
		name: "the job of a batch that was cancelled goes on", doubled: true,
		edits: []edit{{"daemon/batches/end.go", "		settled, err := s.cancelJob(ctx, b.ID)\n",
			"		if MADE {\n			break\n		}\n		settled, err := s.cancelJob(ctx, b.ID)\n"}},
		spec: Spec{Name: "mistake", Daemons: 1, Kinds: []string{cancelled}, Batches: true},
	},
}

// TestTheCampaignFindsMistakes breaks the code on purpose: checks that never fail would prove nothing.
func TestTheCampaignFindsMistakes(t *testing.T) {
	dir := t.TempDir()
	mistaken := *built
	mistaken.Binary = filepath.Join(dir, "textmill")
	if err := mistaken.BuildBinary(t.Context(), root(t), overlay(t, dir)); err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := mistaken
			c.Env = []string{"CRASH_MISTAKE=" + m.name}
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

// mistakes is how the mistaken files ask which mistake is made.
const mistakes = `package crash

import "os"

var mistake = os.Getenv("CRASH_MISTAKE")

func Mistake(name string) bool { return name == mistake }
`

// overlay writes the mistaken files, and what tells the compiler of them.
func overlay(t *testing.T, dir string) string {
	t.Helper()
	mistaken := map[string]string{filepath.Join(root(t), "crash", "mistake.go"): mistakes}
	for _, m := range mutations {
		for _, e := range m.edits {
			right := filepath.Join(root(t), e.file)
			source, again := mistaken[right]
			if !again {
				data, err := os.ReadFile(right)
				if err != nil {
					t.Fatal(err)
				}
				if source = string(data); !strings.Contains(source, `"textmill/crash"`) {
					source = strings.Replace(source, "import (\n", "import \"textmill/crash\"\n\nimport (\n", 1)
				}
			}
			if n := strings.Count(source, e.old); n != 1 {
				t.Fatalf("%s has the lines to mistake %d times", e.file, n)
			}
			made := fmt.Sprintf("crash.Mistake(%q)", m.name)
			mistaken[right] = strings.Replace(source, e.old, strings.ReplaceAll(e.new, "MADE", made), 1)
		}
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
