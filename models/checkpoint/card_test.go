package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/graph"
	"textmill/models/internal/tiny"
)

// A cardGraph is the graph for a card, run on the processor with its one operator replaced.
type cardGraph struct {
	t       *testing.T
	session *ort.DynamicAdvancedSession
	types   bool
	hidden  int
}

var packedInputs = []string{models.PackedIDs, models.PackedPositions, models.PackedOffsets, models.PackedLengths, models.PackedSummed,
	models.PackedShares, models.PackedCompared, models.PackedKept}

func openCard(t *testing.T, name string, hidden int, p weights.Precision, c encoder.Card) cardGraph {
	t.Helper()
	return openCardOf(t, filepath.Join("testdata", "tiny", name), hidden, p, c)
}

func openCardOf(t *testing.T, source string, hidden int, p weights.Precision, c encoder.Card) cardGraph {
	t.Helper()
	dir := t.TempDir()
	if err := checkpoint.WriteCard(t.Context(), source, dir, p, c); err != nil {
		t.Fatal(err)
	}
	return openCardFile(t, filepath.Join(dir, "card.onnx"), hidden)
}

func openCardFile(t *testing.T, file string, hidden int) cardGraph {
	t.Helper()
	tiny.OnProcessor(t, file)
	read, err := graph.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	g := cardGraph{t: t, hidden: hidden,
		types: slices.ContainsFunc(read.Inputs, func(v graph.Value) bool { return v.Name == models.PackedTypes })}
	inputs := packedInputs
	if g.types {
		inputs = append([]string{models.PackedTypes}, inputs...)
	}
	g.session = openSession(t, file, inputs, []string{models.PackedVectors, models.PackedGreatest, models.PackedEach})
	return g
}

// pooled is what leaves the card of one text.
type pooled struct {
	mean, cls, last, greatest []float32
	each                      [][]float32
}

// run packs texts, with idle tokens behind them, and asks for everything of each text.
func (g cardGraph) run(texts [][]int64, idle, sequence int) []pooled {
	g.t.Helper()
	var ids, places, offsets, kept []int32
	lengths, begins, longest := []int32{0}, []int32(nil), 1
	all := slices.Clone(texts)
	for n := idle; n > 0; n -= min(n, sequence) {
		all = append(all, make([]int64, min(n, sequence)))
	}
	for i, text := range all {
		begins = append(begins, int32(len(ids)))
		for j, id := range text {
			ids, places, offsets = append(ids, int32(id)), append(places, int32(j)), append(offsets, int32(i*sequence+j))
		}
		lengths = append(lengths, int32(len(ids)))
		longest = max(longest, len(text))
	}
	for i, text := range all {
		for j := len(text); j < sequence; j++ {
			offsets = append(offsets, int32(i*sequence+j))
		}
	}
	wide := (longest + models.PackedStep - 1) / models.PackedStep * models.PackedStep
	var summed, compared []int32
	var shares []float32
	list := func(from, n int32) {
		for j := range int32(wide) {
			if j < n {
				summed = append(summed, from+j)
			} else {
				summed = append(summed, int32(len(ids)))
			}
		}
		shares = append(shares, 1/float32(n))
	}
	for i, text := range texts {
		n := int32(len(text))
		list(begins[i], n)
		list(begins[i], 1)
		list(begins[i]+n-1, 1)
		for j := range int32(longest) {
			compared = append(compared, begins[i]+min(j, n-1))
		}
		for j := range n {
			kept = append(kept, begins[i]+j)
		}
	}
	tokens, rows, h := int64(len(ids)), int64(3*len(texts)), int64(g.hidden)
	in := []value{tensor(g.t, ids, tokens), tensor(g.t, places, tokens), tensor(g.t, offsets, int64(len(all)), int64(sequence)),
		tensor(g.t, lengths, int64(len(lengths))), tensor(g.t, summed, rows, int64(wide)), tensor(g.t, shares, rows, 1),
		tensor(g.t, compared, rows/3, int64(longest)), tensor(g.t, kept, int64(len(kept)))}
	if g.types {
		in = append([]value{tensor(g.t, make([]int32, tokens), tokens)}, in...)
	}
	vectors, greatest, each := make([]float32, rows*h), make([]float32, rows/3*h), make([]float32, int64(len(kept))*h)
	if err := g.session.Run(in, []value{tensor(g.t, vectors, rows, h), tensor(g.t, greatest, rows/3, h),
		tensor(g.t, each, int64(len(kept)), h)}); err != nil {
		g.t.Fatal(err)
	}
	out := make([]pooled, len(texts))
	cut := func(from *[]float32) []float32 {
		v := (*from)[:h:h]
		*from = (*from)[h:]
		return v
	}
	for i, text := range texts {
		out[i] = pooled{mean: cut(&vectors), cls: cut(&vectors), last: cut(&vectors), greatest: cut(&greatest)}
		for range text {
			out[i].each = append(out[i].each, cut(&each))
		}
	}
	return out
}

// of pools in the plain way.
func of(tokens [][]float32) pooled {
	p := pooled{mean: make([]float32, len(tokens[0])), cls: tokens[0], last: tokens[len(tokens)-1], greatest: slices.Clone(tokens[0]), each: tokens}
	for _, v := range tokens {
		for i, x := range v {
			p.mean[i] += x / float32(len(tokens))
			p.greatest[i] = max(p.greatest[i], x)
		}
	}
	return p
}

func (p pooled) vectors() [][]float32 {
	return append([][]float32{p.mean, p.cls, p.last, p.greatest}, p.each...)
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// Alone, together and among idle tokens, in every pooling: as transformers in fp32, next to it in fp16, and the same bits.
func TestCardsGraphComputesWhatTransformersDoes(t *testing.T) {
	for _, name := range provedBy("hidden") {
		for _, c := range []encoder.Card{{Elem: onnxgraph.Float32}, {Elem: onnxgraph.Float16},
			{Elem: onnxgraph.Float16, Wide: []bool{true}}, {Elem: onnxgraph.Float16, Wide: []bool{false, true}}} {
			t.Run(fmt.Sprint(name, c), func(t *testing.T) {
				rows := readReference(t, name)
				g := openCard(t, name, len(rows[0].Values[0]), weights.FP32, c)
				var texts [][]int64
				for _, r := range rows {
					texts = append(texts, r.IDs)
				}
				longest := len(slices.MaxFunc(texts, func(a, b []int64) int { return len(a) - len(b) }))
				together := g.run(texts, 3, longest+7)
				for i, r := range rows {
					for how, got := range map[string]pooled{"together": together[i], "alone": g.run(texts[i:i+1], 0, longest)[0],
						"idle": g.run(texts[i:i+1], 40, longest+15)[0]} {
						for j, want := range of(r.Values).vectors() {
							v := got.vectors()[j]
							if k := cosine(v, want); !(k > 0.9999) {
								t.Errorf("%s: text %d, vector %d: cosine %v", how, i, j, k)
							}
							if d := far(v, want); c.Elem == onnxgraph.Float32 && !(d < 1e-5) {
								t.Errorf("%s: text %d, vector %d is off by %g", how, i, j, d)
							}
						}
					}
				}
			})
		}
	}
}

// What the graph for processors gives of longer texts, which span several steps of a sum and windows' ends, the one for a
// card gives too; weights in blocks of 8 bits included.
func TestCardsGraphComputesWhatTheProcessorsDoes(t *testing.T) {
	for _, name := range provedBy("hidden") {
		for _, p := range []weights.Precision{weights.FP32, weights.Q8} {
			t.Run(fmt.Sprint(name, p), func(t *testing.T) {
				spec := openBundle(t, importTiny(t, name, string(p)).Dir)
				plain := openSession(t, spec.GraphPath(), spec.Inputs, []string{"last_hidden_state"})
				g := openCard(t, name, spec.Dim, p, encoder.Card{Elem: onnxgraph.Float32})
				r := rand.New(rand.NewPCG(3, 4))
				var texts [][]int64
				for _, n := range []int{1, 3, 15, 16, 17, 33, 60} {
					text := make([]int64, n)
					for j := range text {
						text[j] = r.Int64N(60)
					}
					texts = append(texts, text)
				}
				got := g.run(texts, 5, 64)
				for i, text := range texts {
					n := int64(len(text))
					out := make([]float32, n*int64(spec.Dim))
					in := []value{tensor(t, text, 1, n), tensor(t, slices.Repeat([]int64{1}, len(text)), 1, n), tensor(t, make([]int64, n), 1, n)}
					if err := plain.Run(in[:len(spec.Inputs)], []value{tensor(t, out, 1, n, int64(spec.Dim))}); err != nil {
						t.Fatal(err)
					}
					var tokens [][]float32
					for v := range slices.Chunk(out, spec.Dim) {
						tokens = append(tokens, v)
					}
					for j, want := range of(tokens).vectors() {
						if d := far(got[i].vectors()[j], want); !(d < 2e-5) {
							t.Errorf("%d tokens: vector %d is off by %g", n, j, d)
						}
					}
					// Sums of a text alone, with a list no longer than its own, come to the same bits where its tokens do.
					if alone := g.run(texts[i:i+1], 0, 64)[0]; slices.EqualFunc(alone.each, got[i].each, slices.Equal) && !slices.Equal(alone.mean, got[i].mean) {
						t.Errorf("%d tokens: their mean comes to other bits alone", n)
					}
				}
			})
		}
	}
}

// A layer whose values overflow fp16 is found with sample texts and computes in fp32; without that its texts are lost.
func TestLayersThatOverflowHalfPrecisionStayWide(t *testing.T) {
	for name, tensor := range map[string]string{"bert": "encoder.layer.1.intermediate.dense.weight",
		"modernbert": "layers.2.mlp.Wi.weight"} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), name)
			if err := os.CopyFS(source, os.DirFS(filepath.Join("testdata", "tiny", name))); err != nil {
				t.Fatal(err)
			}
			scale(t, filepath.Join(source, "model.safetensors"), tensor, 16)
			r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if err := loadLibrary(); err != nil {
				t.Fatal(err)
			}
			spec, err := checkpoint.Card(t.Context(), r.Dir, checkpoint.CardOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c := spec.Card; len(c.WideLayers) == 0 || slices.Contains(c.WideLayers, 0) || !(c.Peak > 8192) || c.Why == "" {
				t.Errorf("the graph for a card is %+v", c)
			}
			text := []int64{5, 9, 23, 42, 7}
			want := openCardOf(t, source, spec.Dim, weights.FP32, encoder.Card{Elem: onnxgraph.Float32}).run([][]int64{text}, 0, 8)[0]
			narrow := openCardOf(t, source, spec.Dim, weights.FP32, encoder.Card{Elem: onnxgraph.Float16}).run([][]int64{text}, 0, 8)[0]
			if k := cosine(narrow.mean, want.mean); k > 0.99 {
				t.Errorf("fp16 throughout comes to cosine %v: nothing overflows", k)
			}
			got := openCardFile(t, spec.GraphPath(), spec.Dim).run([][]int64{text}, 0, 8)[0]
			for j, v := range want.vectors() {
				if k := cosine(got.vectors()[j], v); !(k > 0.9999) {
					t.Errorf("vector %d: cosine %v", j, k)
				}
			}
		})
	}
}

// scale multiplies a tensor of bf16 in a file of safetensors by a power of two.
func scale(t *testing.T, path, name string, power uint16) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	var at struct {
		Type    string `json:"dtype"`
		Offsets []int  `json:"data_offsets"`
	}
	if err := json.Unmarshal(header[name], &at); err != nil || at.Type != "BF16" {
		t.Fatalf("%s: %+v, %v", name, at, err)
	}
	values := data[8+size:][at.Offsets[0]:at.Offsets[1]]
	for i := 0; i < len(values); i += 2 {
		if v := binary.LittleEndian.Uint16(values[i:]); v&0x7f80 != 0 {
			binary.LittleEndian.PutUint16(values[i:], v+power<<7)
		}
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
