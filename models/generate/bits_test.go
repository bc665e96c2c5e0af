package generate

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/fetch"
	"textmill/models/internal/onnx"
)

// loopless opens every graph of a checkpoint in some precision, in generators that run nothing by themselves.
func loopless(t *testing.T, source, precision string, slots, length int) map[string]*Generator {
	t.Helper()
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Name: "m", Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*Generator{}
	for _, graph := range spec.Decoder.Graphs {
		g := &Generator{}
		if g.spec, err = models.OpenGraph(got.Dir, graph.File); err != nil {
			t.Fatal(err)
		}
		if err := g.settleSizes(Options{Slots: slots, MaxLength: length}); err != nil {
			t.Fatal(err)
		}
		if err := onnx.Load(g.o.Library); err != nil {
			t.Fatal(err)
		}
		if g.run, err = openSlotted(g.spec, g.o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.run.close(); err != nil {
				t.Error(err)
			}
		})
		if err := g.settleShapes(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s with %s: the same bits %s of a decode, %s of a prefill; %.0f tokens/s in decodes of %d", filepath.Base(source), graph.File,
			models.InstructionSets(), g.company.Runs, g.company.Prefill, g.company.Rate, g.company.RateRows)
		if !g.shares || g.Dependence() != "" {
			t.Errorf("%s: %+v, %q", graph.File, g.company, g.Dependence())
		}
		all[precision+" "+graph.Activations] = g
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
			var err error
			if logits, err = g.run.prefill(t.Context(), slot, from, ids[from:from+n]); err != nil {
				t.Fatal(err)
			}
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

func TestCutsDoNotChangePrompts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"llama", "llama3", "qwen2", "qwen3", "mistral", "smollm3"} {
		for layout, g := range loopless(t, filepath.Join("../checkpoint/testdata/tiny", name), checkpoint.FP32, 2, 64) {
			t.Run(name+" "+layout, func(t *testing.T) {
				for n := 11; n < 62; n++ {
					ids, cuts := someIDs(r, n, g.spec.Decoder.VocabSize), []int{}
					for cut := 1; cut <= n-1; cut++ {
						cuts = append(cuts, cut)
					}
					checkCuts(t, g, ids, cuts)
				}
			})
		}
	}
}

func TestCutsAndCompanyDoNotChangeSmolLM2(t *testing.T) {
	home, err := models.Home()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, "SmolLM2-135M-Instruct")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(got.Path, "SmolLM2-135M-Instruct.Q4_1.gguf")
	const slots = 48
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		for layout, g := range loopless(t, source, precision, slots, 320) {
			t.Run(layout, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				checkCuts(t, g, someIDs(r, 37, 40_000), []int{8, 26, 34})
				checkCuts(t, g, someIDs(r, 129, 40_000), []int{100, 126})
				checkCuts(t, g, someIDs(r, 258, 40_000), []int{129, 254})
				rows := make([]row, slots)
				for i := range rows {
					ids := someIDs(r, 2+i%7, 40_000)
					if _, err := g.run.prefill(t.Context(), i, 0, ids); err != nil {
						t.Fatal(err)
					}
					rows[i] = row{used: len(ids), id: int32(100 + i)}
				}
				decode := func(first, n int) [][]float32 {
					logits, err := g.run.decode(t.Context(), first, rows[first:first+n])
					if err != nil {
						t.Fatal(err)
					}
					return logits
				}
				var want [][]float32
				for _, l := range decode(0, slots) {
					want = append(want, slices.Clone(l))
				}
				for _, n := range []int{1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 33, 47} {
					n = g.company.Runs.Fit(n)
					first := r.IntN(slots - n + 1)
					for i, l := range decode(first, n) {
						if !slices.Equal(l, want[first+i]) {
							t.Errorf("%d rows: row %d comes to other bits than among %d", n, i, slots)
							break
						}
					}
				}
			})
		}
	}
}
