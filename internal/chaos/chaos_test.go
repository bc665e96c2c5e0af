package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// built is the campaign's programs and model, made once for all tests.
var built *Campaign

func TestMain(m *testing.M) {
	code, err := buildFor(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildFor(run func() int) (_ int, err error) {
	dir, err := os.MkdirTemp("", "textmill-chaos-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	root, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	if built, err = Build(context.Background(), strings.TrimSuffix(root, "/internal/chaos"), dir, ""); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, built.Close()) }()
	return run(), nil
}

// campaign runs cells and prints what they came to.
func campaign(t *testing.T, c Campaign) *Results {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c.Dir = t.TempDir()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	shown := *r
	shown.Problems = r.Problems[:min(len(r.Problems), 10)]
	if err := shown.Print(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	return r
}

// TestEachRecordOnce is the short form of the campaign: each kind of fault, a few times. `make chaos` is the long one.
func TestEachRecordOnce(t *testing.T) {
	c := *built
	c.Seed, c.PerCell, c.Parallel = 1977, 5, 8
	c.Specs = []Spec{
		{Name: "crash", Daemons: 2, Kinds: []string{crash, freeze}, Armed: true},
		{Name: "claims", Daemons: 2, Kinds: []string{crash, freeze, republish}, Armed: true, Claims: true},
		{Name: "network", Daemons: 1, Kinds: append([]string{killBroker}, network...), Plain: true},
		{Name: "traps", Daemons: 2, Kinds: []string{quiet, freeze}, Traps: true},
		{Name: "queue", Daemons: 1, Kinds: []string{republish, remakeStream, restoreStore, dropStream, dropEvents}},
		{Name: "table", Daemons: 2, Kinds: []string{remakeTable, optimized, cleaned, kill}, Jumps: true},
		{Name: "models", Daemons: 2, Kinds: []string{rerun, crash, freezeAll}, Armed: true, Twin: true},
		{Name: "places", Daemons: 1, Kinds: []string{loseRoot, manyDatasets}, Files: 192, NoDead: true},
		{Name: "upkeep", Daemons: 2, Kinds: []string{rewritten, reworked}},
		{Name: "sync", Daemons: 2, Kinds: []string{synced, syncedAgainst, kill}},
		{Name: "replace", Daemons: 2, Kinds: []string{replaced, optimized, crash}, Armed: true},
		{Name: "upkeep-bucket", Daemons: 2, Kinds: []string{rewritten, lateCommit}, Bucket: true},
		{Name: "bucket", Daemons: 2, Kinds: []string{kill, freeze, refuseBucket, loseCommit, lateCommit}, Bucket: true},
		{Name: "batches", Daemons: 2, Kinds: []string{crash, cancelled}, Armed: true, Points: batchPoints, Batches: true},
		{Name: "poison", Daemons: 2, Kinds: []string{quiet, freezeAll}, Poison: true},
		{Name: "disk", Daemons: 1, Kinds: []string{fillDisk, kill}, TmpFS: true},
		{Name: "write", Daemons: 2, Kinds: []string{kill, freeze, drain, cutNetwork}, Drain: 100 * time.Millisecond, Traps: true, Writes: true},
	}
	if r := campaign(t, c); !r.Sound() || r.Injected() < 5*(len(c.Specs)-2) {
		t.Errorf("%d lost, %d doubled, %d wrong, %d problems after %d faults", r.Lost, r.Doubled, r.Wrong, len(r.Problems), r.Injected())
	}
}
