package checkpoint_test

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/internal/reference"
	"textmill/models/checkpoint"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/embed"
	"textmill/models/session"
)

// A proof is a line of docs/models.md: which checkpoint shows that families are what their reference computes, and how near.
type proof struct {
	families   string  // as encoder.ModelTypes and decoder.Architectures have them, with ", " between
	checkpoint string  // a folder of testdata/tiny, or the name of pinned weights
	library    string  // the reference, with its version
	measure    string  // a key of measures
	most       float64 // its error: 1 − cosine of an encoder's worst vector, a decoder's worst logit by the greatest one
	speed      string  // against the reference on one machine, with the day, where bench/generate measured it
}

// first is the family that the line begins with, by which its speed is kept.
func (p proof) first() string {
	family, _, _ := strings.Cut(p.families, ", ")
	return family
}

const (
	transformers5_23 = "transformers 5.23.0"
	transformers5_24 = "transformers 5.24.0"
	sentence6_2      = "sentence-transformers 6.2.0"
)

// scoreboard is the one list of families that are shown to be right: a new one is a line here, its errors as the test logs them
// and a little more, for other processors. The tests in tiny_test.go and batch_test.go take their checkpoints from it. Then make docs.
var scoreboard = []proof{
	{"bert", "bert", transformers5_23, "hidden", 1e-11, ""},
	{"bert", "all-MiniLM-L6-v2", "sentence-transformers 6.2.0", "miniLM", 2e-11, ""},
	{"xlm-roberta, roberta, camembert", "xlm-roberta", transformers5_23, "hidden", 1e-11, ""},
	{"distilbert", "distilbert", transformers5_23, "hidden", 1e-11, ""},
	{"modernbert", "modernbert", transformers5_23, "hidden", 1e-11, ""},
	{"modernbert", "modernbert-biased", transformers5_23, "hidden", 1e-11, ""},
	{"modernbert", "modernbert-silu", transformers5_23, "hidden", 1e-11, ""},
	{"StaticModel", "model2vec", "model2vec 0.10.0", "texts", 1e-11, ""},
	{"StaticModel", "model2vec-mapped", "model2vec 0.10.0", "texts", 2e-7, ""}, // the reference's means are fp16
	{"StaticModel", "model2vec-unigram", "model2vec 0.10.0", "texts", 1e-11, ""},
	{"StaticEmbedding", "static-embedding", "sentence-transformers 6.2.0", "texts", 1e-11, ""},
	{"mpnet", "mpnet", transformers5_23, "hidden", 1e-11, ""},
	{"nomic_bert", "nomic", transformers5_23, "hidden", 1e-11, ""},
	{"nomic_bert", "nomic-plain", transformers5_23, "hidden", 1e-11, ""},
	{"gte", "gte", transformers5_23, "hidden", 1e-11, ""},
	{"new", "new", transformers5_23, "hidden", 1e-11, ""},
	{"electra", "electra", transformers5_23, "hidden", 1e-11, ""},
	{"albert", "albert", transformers5_23, "hidden", 1e-11, ""},
	{"jina_embeddings_v3", "jina-v3", transformers5_23, "hidden", 1e-11, ""},
	{"xlm-roberta", "jina-v3-adapted", transformers5_23, "hidden", 1e-11, ""},
	{"qwen3", "qwen3-embedding", sentence6_2, "sentences", 1e-11, ""},
	{"qwen3", "qwen3-fp32", sentence6_2, "sentences", 1e-11, ""},
	{"mistral", "mistral", sentence6_2, "sentences", 1e-11, ""},
	{"qwen2", "qwen2-both-ways", sentence6_2, "sentences", 1e-11, ""},
	{"qwen2", "qwen2-window-both-ways", sentence6_2, "sentences", 1e-11, ""},
	{"llama", "llama", sentence6_2, "sentences", 1e-11, ""},
	{"eurobert", "eurobert", sentence6_2, "sentences", 1e-11, ""},
	{"gemma3_text", "embeddinggemma", sentence6_2, "sentences", 1e-11, ""},
	{"gemma3_text", "gemma3-causal", sentence6_2, "sentences", 1e-11, ""},
	{"embedding_gemma2_text", "embeddinggemma2", sentence6_2, "sentences", 1e-11, ""},
	{"embedding_gemma2", "embeddinggemma2-whole", sentence6_2, "sentences", 1e-11, ""},
	{"bert", "labse", sentence6_2, "sentences", 1e-11, ""},
	{"LlamaForCausalLM", "llama", transformers5_23, "logits", 1e-5, ""},
	{"LlamaForCausalLM", "llama3", transformers5_23, "logits", 1e-5, ""},
	{"LlamaForCausalLM", "SmolLM2-135M-Instruct", transformers5_24, "smolLM2", 1e-5, "4.1 × (2026-11-27)"},
	{"MistralForCausalLM", "mistral", transformers5_23, "logits", 1e-5, ""},
	{"Qwen2ForCausalLM", "qwen2", transformers5_23, "logits", 1e-5, ""},
	{"Qwen3ForCausalLM", "qwen3", transformers5_23, "logits", 1e-5, ""},
	{"SmolLM3ForCausalLM", "smollm3", transformers5_23, "logits", 1e-5, ""},
	{"Gemma2ForCausalLM", "gemma2", transformers5_23, "logits", 1e-5, ""},
	{"Gemma3ForCausalLM", "gemma3", transformers5_23, "logits", 1e-5, ""},
	{"Gemma3ForConditionalGeneration", "gemma3-images", transformers5_23, "logits", 1e-5, ""},
	{"Phi3ForCausalLM", "phi3", transformers5_23, "logits", 1e-5, ""},
	{"Phi3ForCausalLM", "phi3-long", transformers5_23, "logits", 1e-5, ""},
	{"GraniteForCausalLM", "granite", transformers5_23, "logits", 1e-5, ""},
	{"Olmo2ForCausalLM", "olmo2", transformers5_23, "logits", 1e-5, ""},
	{"Olmo3ForCausalLM", "olmo3", transformers5_23, "logits", 1e-5, ""},
	{"Glm4ForCausalLM", "glm4", transformers5_23, "logits", 1e-5, ""},
	{"Lfm2ForCausalLM", "lfm2", transformers5_23, "logits", 1e-5, ""},
	{"Lfm2ForCausalLM", "lfm2-biased", transformers5_23, "logits", 1e-5, ""},
	{"Qwen3_5ForCausalLM", "qwen3_5", transformers5_23, "logits", 1e-5, ""},
	{"Qwen3_5ForConditionalGeneration", "qwen3_5-images", transformers5_23, "logits", 1e-5, ""},
	{"Exaone4ForCausalLM", "exaone4", transformers5_23, "logits", 1e-5, ""},
	{"Exaone4ForCausalLM", "exaone4-full", transformers5_23, "logits", 1e-5, ""},
}

// A score is what a checkpoint came to.
type score struct {
	worst      float64
	agreed, of int // greedy tokens
}

func (s *score) vector(got, want []float32) { s.worst = max(s.worst, 1-cosine(got, want)) }

// logits compares those of one position, by the greatest of the reference.
func (s *score) logits(got, want []float32) {
	most := 0.0
	for _, v := range want {
		most = max(most, math.Abs(float64(v)))
	}
	s.worst = max(s.worst, far(got, want)/most)
}

func (s *score) token(got, want int64) {
	if s.of++; got == want {
		s.agreed++
	}
}

// hidden scores the vectors of an encoder's tokens.
func hidden(t *testing.T, name string) (s score) {
	rows := readReference(t, name)
	spec := openBundle(t, importTiny(t, name, checkpoint.FP32).Dir)
	file := filepath.Join(spec.Dir, filepath.FromSlash(spec.Graph))
	session := openSession(t, file, spec.Inputs, []string{"last_hidden_state"})
	width, size := 0, len(rows[0].Values[0])
	for _, r := range rows {
		width = max(width, len(r.IDs))
	}
	out := runHidden(t, session, len(spec.Inputs), rows, width, false)
	for i, r := range rows {
		for j, want := range r.Values {
			s.vector(out[(i*width+j)*size:][:size], want)
		}
	}
	return s
}

// logits scores those of every position of a decoder's rows, the likeliest token there, and what the reference went on with.
func logits(t *testing.T, name string) (s score) {
	return logitsOf(t, name, importTiny(t, name, checkpoint.FP32).Dir)
}

// logitsOf scores a bundle of the checkpoint, whatever it was imported from.
func logitsOf(t *testing.T, name, bundle string) (s score) {
	rows := readReference(t, name)
	length := 0
	for _, r := range rows {
		length = max(length, len(r.IDs)+len(r.Greedy))
	}
	slots := openSlots(t, bundle, 0, 1, length)
	for _, r := range rows {
		slots.begin(0, len(r.IDs))
		text := slices.Clone(r.IDs)
		got := slots.run(0, [][]int64{r.IDs}, true)
		for i, want := range r.Values {
			s.logits(got[i], want)
			s.token(argmax(got[i]), argmax(want))
		}
		last := got[len(got)-1]
		for _, want := range r.Greedy {
			s.token(argmax(last), want)
			next := []int64{want}
			if text = append(text, want); slots.d.OriginalPositions > 0 && len(text) == slots.d.OriginalPositions+1 {
				next = text // it becomes long
				slots.begin(0, len(text))
			}
			last = slots.run(0, [][]int64{next}, false)[0]
		}
	}
	return s
}

// miniLM scores what sentence-transformers makes of golden texts; all of them, and q8, are package encoder's to test.
func miniLM(t *testing.T, name string) (s score) {
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: checkpointOf(t, name), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec := openBundle(t, r.Dir)
	e := openEmbedder(t, spec, session.Options{Home: home, BatchTokens: 1024})
	defer e.Close() //nolint:errcheck // of a test
	type text struct {
		IDs       []int32   `json:"input_ids"`
		Embedding []float32 `json:"embedding"`
	}
	texts := golden.Values[text](t, "../embed/testdata/golden.jsonl.gz")
	for batch := range slices.Chunk(texts[:min(64, len(texts))], 16) {
		rows := make([]embed.Row, len(batch))
		for i := range batch {
			rows[i].IDs = batch[i].IDs
		}
		vectors, err := e.Embed(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			s.vector(vectors[i], batch[i].Embedding)
		}
	}
	return s
}

// smolLM2 scores the five likeliest tokens of each step after golden prompts, and the one that the reference chose.
func smolLM2(t *testing.T, _ string) (s score) {
	slots := openSlots(t, importSmolLM2(t, checkpoint.AsIs).Dir, 0, 1, 512)
	for _, line := range golden.Values[scored](t, "../generate/testdata/top5.jsonl.gz") {
		clear(slots.used)
		ids := line.IDs
		for _, step := range line.Steps[:8] {
			all, top := slots.run(0, [][]int64{ids}, false)[0], make([]float32, len(step.TopIDs))
			for i, id := range step.TopIDs {
				top[i] = all[id]
			}
			s.logits(top, step.Top)
			s.token(argmax(all), step.Chosen)
			ids = []int64{step.Chosen}
		}
	}
	return s
}

// texts scores what a static model makes of texts, as vectors.json has them.
func texts(t *testing.T, name string) (s score) {
	var want struct {
		Texts   []string    `json:"texts"`
		Vectors [][]float32 `json:"vectors"`
	}
	readJSON(t, filepath.Join("testdata", "tiny", name, "vectors.json"), &want)
	spec := openBundle(t, importTiny(t, name, checkpoint.FP32).Dir)
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	e := openEmbedder(t, spec, session.Options{Home: t.TempDir()})
	defer e.Close() //nolint:errcheck // of a test
	for i, text := range want.Texts {
		cut, _ := spec.CutChars(text, spec.MaxLength)
		ids, _, err := tok.AppendBody(nil, nil, cut)
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.Embed(t.Context(), []embed.Row{{IDs: ids[:min(len(ids), spec.MaxLength)]}})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Max(want.Vectors[i]) > 0 { // of zeros there is no cosine; package embedding tests them
			s.vector(v[0], want.Vectors[i])
		}
	}
	return s
}

// measures are how checkpoints are held to their references.
var measures = map[string]func(t *testing.T, checkpoint string) score{
	"hidden": hidden, "logits": logits, "miniLM": miniLM, "smolLM2": smolLM2, "texts": texts,
	"sentences": sentences,
}

// provedBy are the checkpoints that a measure scores.
func provedBy(measure string) (names []string) {
	for _, p := range scoreboard {
		if p.measure == measure {
			names = append(names, p.checkpoint)
		}
	}
	return names
}

// bounds are what no line may be worse than.
const (
	mostApart = 1e-5 // 1 − cosine
	mostOff   = 1e-4 // of the greatest logit
)

func TestScoreboard(t *testing.T) {
	var table strings.Builder
	table.WriteString("| family | checkpoint | reference | worst vector: 1 − cosine | worst logit: error by the greatest | same greedy tokens | speed by the reference's |\n|---|---|---|---|---|---|---|\n")
	shown, speeds := map[string]bool{}, readSpeeds(t)
	for _, p := range scoreboard {
		speed := p.speed
		if m, ok := speeds[p.first()]; ok && !shown[p.first()] {
			speed = m.short()
		} else if speed == "" && !shown[p.first()] {
			speed = cmp.Or(alike[p.first()], "not measured")
		}
		for family := range strings.SplitSeq(p.families, ", ") {
			shown[family] = true
		}
		s := measures[p.measure](t, p.checkpoint)
		t.Logf("%s: %s by %.2g, %d of %d greedy tokens", p.checkpoint, p.measure, s.worst, s.agreed, s.of)
		apart, off, tokens, most := fmt.Sprintf("%.0e", p.most), "", "", mostApart
		if s.of > 0 {
			apart, off, tokens, most = "", apart, fmt.Sprintf("%d of %d", s.agreed, s.of), mostOff
		}
		switch {
		case !(s.worst <= p.most):
			t.Errorf("%s: %s is off by %g, its line of the scoreboard says %g at most", p.checkpoint, p.measure, s.worst, p.most)
		case p.most > most:
			t.Errorf("%s: its line of the scoreboard allows %g; no more than %g will do", p.checkpoint, p.most, most)
		case s.agreed < s.of:
			t.Errorf("%s: %d of %d greedy tokens are the reference's", p.checkpoint, s.agreed, s.of)
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s | %s |\n", p.families, p.checkpoint, p.library, apart, off, tokens, speed)
	}
	for _, family := range slices.Concat(encoder.ModelTypes(), checkpoint.StaticModels(), decoder.Embedders(), decoder.Architectures()) {
		if !shown[family] {
			t.Errorf("%s can be imported, and no line of the scoreboard in scoreboard_test.go shows that it is right", family)
		}
	}
	reference.Holds(t, "../models.md", "scoreboard", table.String())
}
