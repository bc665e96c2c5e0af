package generate

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
)

// loopless opens every graph of a bundle, in generators that run nothing by themselves.
func loopless(t *testing.T, bundle string, slots, length int) map[string]*Generator {
	t.Helper()
	spec, err := models.OpenBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	// What an earlier session remembers is what shall be tested.
	o := Options{Session: FreshSession(t), Slots: slots, MaxLength: length}
	all := map[string]*Generator{}
	for _, graph := range spec.Decoder.Graphs {
		spec, err := models.OpenGraph(bundle, graph.File)
		if err != nil {
			t.Fatal(err)
		}
		g, err := load(t.Context(), spec, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.run.close(); err != nil {
				t.Error(err)
			}
		})
		t.Logf("%s of %s: the same bits %s of a decode, %s of a prefill; %.0f tokens/s in decodes of %d", graph.File,
			filepath.Base(bundle), g.company.Runs, g.company.Prefill, g.company.Rate, g.company.RateRows)
		if !g.shares || g.Dependence() != "" {
			t.Errorf("%s: %+v, %q", graph.File, g.company, g.Dependence())
		}
		all[spec.Decoder.Precision+" "+graph.Activations] = g
	}
	return all
}

func someIDs(r *rand.Rand, n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(3 + r.IntN(vocab-3))
	}
	return ids
}

// checkCuts holds a prompt to the same logits whether its first tokens come from one run or from another one's cache.
func checkCuts(t *testing.T, g *Generator, ids []int32, cuts []int) {
	t.Helper()
	prefill := func(slot, from int, ids []int32) (logits []float32) {
		for from < len(ids) {
			n := min(len(ids)-from, chunkTokens)
			last, err := g.run.prefill(t.Context(), slot, from, ids[from:from+n], false)
			if err != nil {
				t.Fatal(err)
			}
			logits = last.logits
			from += n
		}
		return logits
	}
	want := slices.Clone(prefill(0, 0, ids))
	for _, cut := range cuts {
		prefill(1, 0, append(slices.Clone(ids[:cut]), 5, 6, 7)) // another prompt that begins alike
		if got := prefill(1, cut, ids); !slices.Equal(got, want) {
			t.Errorf("a prompt of %d tokens cut at %d comes to other bits", len(ids), cut)
		}
	}
}

// tinySources are small checkpoints and the precisions that are imported of them: what the kinds of matrices and of heads need
// of a run differs.
var tinySources = []struct {
	source     string
	precisions []string
}{
	{"tiny/llama", []string{checkpoint.FP32, checkpoint.Q8, checkpoint.Q4}},
	{"tiny/qwen3", []string{checkpoint.FP32, checkpoint.Q8, checkpoint.Q4}},
	{"llama.gguf", []string{checkpoint.AsIs}},
	{"tiny/llama3", []string{checkpoint.FP32}},
	{"tiny/qwen2", []string{checkpoint.FP32}},
	{"tiny/mistral", []string{checkpoint.FP32}},
	{"tiny/smollm3", []string{checkpoint.FP32}},
}

func TestCutsAndCompanyDoNotChangeTinyModels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, tiny := range tinySources {
		for _, precision := range tiny.precisions {
			for layout, g := range loopless(t, Imported(t, filepath.Join(Testdata, tiny.source), precision).Dir, 40, 64) {
				t.Run(tiny.source+" "+layout, func(t *testing.T) {
					for _, n := range []int{2, 3, 11, 16, 17, 31, 32, 33, 34, 48, 59, 60} {
						ids, cuts := someIDs(r, n, g.spec.Decoder.VocabSize), []int{}
						for cut := 1; cut < n; cut += 1 + cut/7 {
							cuts = append(cuts, cut, n-cut)
						}
						checkCuts(t, g, ids, cuts)
					}
					checkCompany(t, g, r)
				})
			}
		}
	}
}

// checkCompany holds each row of a decode to the same logits in few and in many, here and there.
func checkCompany(t *testing.T, g *Generator, r *rand.Rand) {
	t.Helper()
	rows := make([]row, g.o.Slots)
	for i := range rows {
		ids := someIDs(r, 2+i%7, g.spec.Decoder.VocabSize)
		if _, err := g.run.prefill(t.Context(), i, 0, ids, false); err != nil {
			t.Fatal(err)
		}
		rows[i] = row{used: len(ids), id: ids[0]}
	}
	decode := func(first, n int) (logits [][]float32) {
		all, err := g.run.decode(t.Context(), first, rows[first:first+n])
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			logits = append(logits, one.logits)
		}
		return logits
	}
	var want [][]float32
	for _, l := range decode(0, len(rows)) {
		want = append(want, slices.Clone(l))
	}
	for _, n := range []int{1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 33, len(rows) - 1} {
		n = g.company.Runs.Fit(n)
		first := r.IntN(len(rows) - n + 1)
		for i, l := range decode(first, n) {
			if !slices.Equal(l, want[first+i]) {
				t.Errorf("%d rows: row %d comes to other bits than among %d", n, i, len(rows))
				break
			}
		}
	}
}

func TestCutsAndCompanyDoNotChangeSmolLM2(t *testing.T) {
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		for layout, g := range loopless(t, SmolLM2(t, precision), 40, 320) {
			t.Run(layout, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				checkCuts(t, g, someIDs(r, 37, 40_000), []int{8, 34, 36})
				checkCuts(t, g, someIDs(r, 129, 40_000), []int{126})
				checkCuts(t, g, someIDs(r, 258, 40_000), []int{129, 254})
				checkCompany(t, g, r)
			})
		}
	}
}
