package embed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/internal/card"
	"textmill/models/internal/tiny"
	"textmill/models/session"
)

// onCard imports a tiny checkpoint, makes its graph for a card, has the processor run it, and opens both graphs.
func onCard(t *testing.T, name string) (plain, packed *Embedder) {
	t.Helper()
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join("../checkpoint/testdata/tiny", name), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := checkpoint.Card(t.Context(), r.Dir, checkpoint.CardOptions{Library: places.Library(testHome(t))})
	if err != nil {
		t.Fatal(err)
	}
	tiny.OnProcessor(t, spec.GraphPath())
	record, err := models.ReadRecord(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if record.Files, err = models.HashBundle(t.Context(), r.Dir); err != nil {
		t.Fatal(err)
	}
	if err := models.WriteRecord(r.Dir, record); err != nil {
		t.Fatal(err)
	}
	open := func(spec *models.Spec, err error) *Embedder {
		if err != nil {
			t.Fatal(err)
		}
		o := session.Options{Home: t.TempDir(), Library: places.Library(testHome(t)), BatchTokens: 512, Threads: 2}
		e, err := Open(t.Context(), spec, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	packed = open(models.OpenCard(r.Dir, ""))
	if !packed.Packed() {
		t.Fatal("the graph for a card is not run as one")
	}
	return open(models.OpenBundle(r.Dir)), packed
}

// mixture is rows of all lengths in all poolings.
func mixture(n int) []Row {
	r := rand.New(rand.NewPCG(5, 6))
	rows := make([]Row, n)
	for i := range rows {
		rows[i].IDs = make([]int32, 1+r.IntN(62))
		for j := range rows[i].IDs {
			rows[i].IDs[j] = r.Int32N(60)
		}
		rows[i].Pooling = []string{"", models.PoolMean, models.PoolCLS, models.PoolLast, models.PoolMax, models.PoolNone, models.PoolWeighted,
			models.PoolMeanSqrt, models.PoolCLS + models.PoolJoint + models.PoolMean}[i%9]
		rows[i].Skip = min(i%3, len(rows[i].IDs)-1)
		if i%4 == 0 {
			rows[i].TypeIDs = slices.Repeat([]int32{1}, len(rows[i].IDs))
		}
	}
	return rows
}

func TestPackedVectorsAreThePaddedOnes(t *testing.T) {
	for _, name := range []string{"bert", "modernbert", "mpnet", "nomic"} {
		t.Run(name, func(t *testing.T) {
			plain, packed := onCard(t, name)
			rows := mixture(60)
			for i := range rows {
				if name != "bert" && name != "nomic" {
					rows[i].TypeIDs = nil
				}
			}
			for n := 1; n <= len(rows); n += n {
				got, want := embed(t, packed, rows[:n]...), embed(t, plain, rows[:n]...)
				for i := range want {
					if len(got[i]) != len(want[i]) || !(cosine(got[i], want[i]) > 0.9999) {
						t.Errorf("row %d of %d, pooling %q: cosine %v", i, n, rows[i].Pooling, cosine(got[i], want[i]))
					}
				}
			}
		})
	}
}

// A text comes to the same bits alone, among others, in any order, and beside other batches.
func TestPackedTextsDoNotDependOnTheirCompany(t *testing.T) {
	_, e := onCard(t, "bert")
	if why := e.Dependence(); why != "" {
		t.Fatal(why)
	}
	rows := append(mixture(40), Row{IDs: []int32{3, 4, 5}})
	want := embed(t, e, rows...)
	for i, row := range rows {
		if got := embed(t, e, row)[0]; !slices.Equal(got, want[i]) {
			t.Errorf("text %d of %d tokens, pooling %q, comes to other bits alone", i, len(row.IDs), row.Pooling)
		}
	}
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			order := rand.New(rand.NewPCG(seed, 1)).Perm(len(rows))
			some := make([]Row, 1+int(seed)*5)
			for i := range some {
				some[i] = rows[order[i]]
			}
			got, err := e.Embed(t.Context(), some)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range some {
				if !slices.Equal(got[i], want[order[i]]) {
					t.Errorf("text %d comes to other bits among %d", order[i], len(some))
				}
			}
		})
	}
	wg.Wait()
}

// A card without memory for a batch gets halves of it, and from then on smaller ones; a text that does not fit alone is an
// error.
func TestOutOfMemoryMakesBatchesSmaller(t *testing.T) {
	_, e := onCard(t, "bert")
	rows := mixture(32)
	want := embed(t, e, rows...)
	run, failures := e.deck.run, atomic.Int64{}
	e.deck.run = func(ctx context.Context, b *card.Binding) error {
		if failures.Add(-1) >= 0 {
			return fmt.Errorf("the arena: %w", session.ErrOutOfMemory)
		}
		return run(ctx, b)
	}
	failures.Store(3)
	before := e.BatchTokens()
	for i, v := range embed(t, e, rows...) {
		if !slices.Equal(v, want[i]) {
			t.Errorf("text %d comes to other bits in a half", i)
		}
	}
	after := e.BatchTokens()
	if after >= before {
		t.Errorf("batches of %d tokens after those of %d found no memory", after, before)
	}
	failures.Store(0)
	embed(t, e, rows...)
	if e.BatchTokens() != after {
		t.Errorf("batches of %d tokens again, after %d", e.BatchTokens(), after)
	}
	failures.Store(1 << 20)
	if _, err := e.Embed(t.Context(), rows); !errors.Is(err, session.ErrOutOfMemory) {
		t.Errorf("%v, want ErrOutOfMemory", err)
	}
	if e.BatchTokens() < 1 {
		t.Error("no batch is small enough any more")
	}
	failures.Store(0)
	embed(t, e, rows...)
}

// What ends a run leaves the session as it was, and whoever waits for a turn ends too.
func TestPackedRunsEndWithTheirContext(t *testing.T) {
	_, e := onCard(t, "bert")
	rows := mixture(8)
	want := embed(t, e, rows...)
	run, began := e.deck.run, make(chan struct{}, 16)
	e.deck.run = func(ctx context.Context, b *card.Binding) error {
		began <- struct{}{}
		<-ctx.Done()
		return run(ctx, b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 * cardSlots {
		wg.Go(func() {
			if _, err := e.Embed(ctx, rows); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		})
	}
	for range cardRuns {
		<-began
	}
	select {
	case <-began:
		t.Error("more runs are under way than should be")
	default:
	}
	cancel()
	wg.Wait()
	e.deck.run = run
	for i, v := range embed(t, e, rows...) {
		if !slices.Equal(v, want[i]) {
			t.Errorf("text %d comes to other bits afterwards", i)
		}
	}
}

// Memory is that of the largest batch, however many there are.
func TestPackedMemoryIsFlat(t *testing.T) {
	_, e := onCard(t, "bert")
	rows := mixture(64)
	for range 3 * cardSlots {
		embed(t, e, rows...)
	}
	before := e.deck.session.Held()
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		from := r.IntN(len(rows))
		embed(t, e, rows[from:from+1+r.IntN(len(rows)-from)]...)
	}
	if after := e.deck.session.Held(); after > before {
		t.Errorf("%d bytes of the device are held after 200 batches, %d before", after, before)
	}
}

func TestSizesThatComeToTheSameBits(t *testing.T) {
	v := func(x float32) []Vector { return []Vector{{x, 1}} }
	runs := map[int][]Vector{64: v(1), 80: v(2), 96: v(2), 112: v(3), 128: v(2)}
	got, off := alike([]int{64, 80, 96, 112, 128, 160}, runs)
	if !slices.Equal(got, []int{80, 96, 128}) || !(off > 0.3) {
		t.Errorf("%v, %v", got, off)
	}
	if got, _ := alike([]int{64, 80}, map[int][]Vector{64: v(1), 80: v(2)}); got != nil {
		t.Errorf("%v of sizes that all differ", got)
	}
}

// Where no sizes were found runs still have few of them, and notes say what is not promised.
func TestWithoutEqualSizesCosineIsPromised(t *testing.T) {
	_, e := onCard(t, "bert")
	e.company = session.Company{Apart: 1e-3}
	if e.Dependence() == "" {
		t.Error("nothing says that vectors depend on their batch")
	}
	sizes := cardSizes(mostTokens)
	for _, n := range []int{1, 65, 1000, 30000} {
		if _, found := slices.BinarySearch(sizes, e.sizeFor(n)); !found {
			t.Errorf("%d tokens run as %d", n, e.sizeFor(n))
		}
	}
}
