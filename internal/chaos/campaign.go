// Package chaos breaks textmill on purpose, in every way its makers could think of, and counts what becomes of each
// record.
//
// A campaign runs cells side by side. Each is a world of its own: a real nats-server and real daemons as processes on
// loopback, a publisher that is not ours, one table. Faults fall into waves of records whose right vectors are known.
// In the end every record must be in the table once or in the dead letters once, with the right vector, in a table
// that textmill and delta-rs both find sound.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"textmill/internal/s3"
)

// Campaign says with what to break things, and how often.
type Campaign struct {
	Binary string // textmill, built with the tag crashpoints
	NATS   string // nats-server
	Python string // with the packages of test/requirements.txt
	Home   string // TEXTMILL_HOME, holding the library and the model
	Dir    string // where the cells live
	Refs   *References
	Texts  *Continuations
	Env    []string // what textmill's processes are told beside what their cell tells them

	Seed     uint64
	Specs    []Spec
	PerCell  int // faults
	Parallel int
	Records  int           // at least so many in all
	Faults   int           // at least so many in all
	Time     time.Duration // no cell begins after it; 0 = no limit
	Progress io.Writer

	deltars *deltars
	bucket  *s3.Server
}

// Run goes round the kinds of cells until there were enough records and faults.
func (c *Campaign) Run(ctx context.Context) (_ *Results, err error) {
	if c.deltars, err = newDeltars(c.Python); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.deltars.close()) }()
	begun, sum := time.Now(), &Results{}
	var mu sync.Mutex
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		enough := sum.Records >= c.Records && sum.Injected() >= c.Faults && next >= len(c.Specs)
		if enough || ctx.Err() != nil || c.Time > 0 && time.Since(begun) > c.Time {
			return 0, false
		}
		next++
		return next - 1, true
	}
	var workers sync.WaitGroup
	for range c.Parallel {
		workers.Go(func() {
			for {
				n, ok := take()
				if !ok {
					return
				}
				r := c.cell(n).run(ctx, c.PerCell)
				mu.Lock()
				sum.Add(r)
				c.tell(n, r, sum)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return sum, ctx.Err()
}

func (c *Campaign) cell(n int) *cell {
	spec := c.Specs[n%len(c.Specs)]
	seed := rand.New(rand.NewPCG(c.Seed, uint64(n))).Uint64()
	return &cell{
		Spec: spec, camp: c, seed: seed, random: rand.New(rand.NewPCG(seed, 0)),
		dir:   filepath.Join(c.Dir, fmt.Sprintf("%04d-%s", n, spec.Name)),
		wants: map[string]*want{}, places: map[string]bool{dataset: true},
	}
}

func (c *Campaign) tell(n int, r, sum *Results) {
	if c.Progress == nil {
		return
	}
	verdict := "sound"
	if !r.Sound() {
		verdict = fmt.Sprintf("NOT SOUND: %d lost, %d doubled, %d wrong, %d problems", r.Lost, r.Doubled, r.Wrong,
			len(r.Problems))
	}
	fmt.Fprintf(c.Progress, "cell %d %s: %d faults over %d records, %s (in all %d over %d)\n",
		n, c.Specs[n%len(c.Specs)].Name, r.Injected(), r.Records, verdict, sum.Injected(), sum.Records)
	for i, p := range r.Problems {
		if i == 10 {
			fmt.Fprintf(c.Progress, "  and %d more\n", len(r.Problems)-i)
			break
		}
		fmt.Fprintf(c.Progress, "  %s\n", p)
	}
}

var network = []string{cutNetwork, slowNetwork, lossyNetwork, echoNetwork, halfNetwork, stallNetwork, forgetLinks}

// Specs are the kinds of cells of a whole campaign.
func Specs() []Spec {
	return []Spec{
		{Name: "kill", Daemons: 1, Kinds: []string{kill}, Plain: true},
		{Name: "crash", Daemons: 1, Kinds: []string{crash}, Plain: true, Armed: true},
		{Name: "freeze", Daemons: 2, Kinds: []string{freeze}, Plain: true},
		{Name: "crash-two", Daemons: 2, Kinds: []string{crash, freeze}, Armed: true},
		{Name: "broker", Daemons: 1, Kinds: []string{killBroker}, Plain: true},
		{Name: "network", Daemons: 1, Kinds: network, Plain: true},
		{Name: "repeat", Daemons: 2, Kinds: []string{republish, kill, echoNetwork}},
		{Name: "models", Daemons: 2, Kinds: []string{rerun, rerun, kill, freeze, republish}, Twin: true},
		{Name: "models-crash", Daemons: 2, Kinds: []string{rerun, crash, freeze}, Armed: true, Twin: true},
		{Name: "claims", Daemons: 2, Kinds: []string{crash, freeze, republish, kill}, Armed: true, Claims: true},
		{Name: "frozen", Daemons: 2, Kinds: []string{freezeAll, freezeAll, kill, republish}},
		{Name: "stream", Daemons: 1, Kinds: []string{remakeStream, restoreStore, dropStream, dropEvents}},
		{Name: "table", Daemons: 2, Kinds: []string{remakeTable}},
		{Name: "root", Daemons: 2, Kinds: []string{loseRoot, kill}, NoDead: true},
		{Name: "datasets", Daemons: 2, Kinds: []string{manyDatasets, kill, freeze}, Files: 192},
		{Name: "delta-rs", Daemons: 2, Kinds: []string{checkpointed, optimized, cleaned, kill}},
		{Name: "upkeep", Daemons: 2, Kinds: []string{rewritten, reworked, kill}},
		{Name: "upkeep-crash", Daemons: 2, Kinds: []string{rewritten, crash, freeze}, Armed: true},
		{Name: "upkeep-bucket", Daemons: 2, Kinds: []string{rewritten, reworked, loseCommit, lateCommit, refuseBucket}, Bucket: true},
		{Name: "sync", Daemons: 2, Kinds: []string{synced, syncedAgainst, rewritten, kill}},
		{Name: "sync-crash", Daemons: 2, Kinds: []string{synced, syncedAgainst, crash, freeze}, Armed: true},
		{Name: "sync-bucket", Daemons: 2, Kinds: []string{synced, rewritten, loseCommit, lateCommit, refuseBucket}, Bucket: true},
		{Name: "replace", Daemons: 2, Kinds: []string{replaced, replaced, rewritten, optimized, kill}},
		{Name: "replace-crash", Daemons: 2, Kinds: []string{replaced, replaced, crash, freeze}, Armed: true,
			Points: slices.Concat(points, []point{{"repeats-found", 2}, {"repeats-written", 2}, {"rewrite-file", 3}})},
		{Name: "files", Daemons: 1, Kinds: []string{quiet}, Faulty: 60},
		{Name: "clock", Daemons: 2, Kinds: []string{quiet, republish, kill}, Jumps: true},
		{Name: "disk", Daemons: 1, Kinds: []string{fillDisk, kill}, TmpFS: true},
		{Name: "bucket", Daemons: 2, Kinds: append([]string{kill, freeze, optimized}, bucketFaults...), Bucket: true},
		{Name: "bucket-crash", Daemons: 2, Kinds: append([]string{crash, checkpointed}, bucketFaults...), Armed: true,
			Bucket: true},
		{Name: "poison", Daemons: 2, Kinds: []string{quiet, kill}, Poison: true},
		{Name: "quarantine", Daemons: 2, Kinds: []string{freezeAll, freezeAll, quiet}, Poison: true, Armed: true,
			Points: []point{{"quarantined", 3}}},
		{Name: "traps", Daemons: 2, Kinds: []string{quiet, kill, freeze}, Traps: true},
		{Name: "write", Daemons: 2, Kinds: append([]string{kill, freeze, drain, killBroker, republish}, network...),
			Writes: true},
		{Name: "write-crash", Daemons: 2, Kinds: []string{crash, freeze}, Armed: true, Writes: true},
		{Name: "write-drain", Daemons: 1, Kinds: []string{drain}, Drain: 100 * time.Millisecond, Writes: true},
		{Name: "write-poison", Daemons: 2, Kinds: []string{quiet, kill}, Poison: true, Writes: true},
		{Name: "write-traps", Daemons: 2, Kinds: []string{quiet, kill, freeze}, Traps: true, Writes: true},
		{Name: "batches", Daemons: 2, Kinds: []string{kill, kill, freeze, drain, killBroker, cancelled}, Batches: true},
		{Name: "batches-crash", Daemons: 2, Kinds: []string{crash, crash, freeze, cancelled}, Armed: true,
			Points: batchPoints, Batches: true},
		{Name: "batches-network", Daemons: 2, Kinds: append([]string{killBroker, cancelled}, network...), Batches: true},
		{Name: "batches-bucket", Daemons: 2, Kinds: []string{kill, crash, loseCommit, lateCommit, cancelled}, Armed: true,
			Points: batchPoints, Batches: true, Bucket: true},
		{Name: "all", Daemons: 2, Kinds: append([]string{kill, crash, freeze, killBroker, republish, optimized}, network...),
			Armed: true},
	}
}
