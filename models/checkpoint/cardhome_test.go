package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/internal/graph"
)

// A bundle's graph for a card comes to be once, is stamped by a hash of its own, and leaves the processor's model as it is.
func TestCardsGraphIsMadeOnceAndStamped(t *testing.T) {
	for _, name := range append(slices.Clone(decoders), "bert", "modernbert") {
		dir := importTiny(t, name, checkpoint.FP32).Dir
		before := openBundle(t, dir)
		if _, err := models.OpenCard(dir, ""); !errors.Is(err, models.ErrNoCardGraph) {
			t.Fatalf("%s: before it was made: %v", name, err)
		}
		var notes []string
		o := checkpoint.CardOptions{Note: func(s string) { notes = append(notes, s) }}
		card, err := checkpoint.Card(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := checkpoint.Card(t.Context(), dir, o); err != nil || again.SHA256 != card.SHA256 || len(notes) != 1 {
			t.Errorf("%s: the second time: %v, notes %q", name, err, notes)
		}
		if card.Card == nil || card.Card.Precision != models.FP16 || !(card.Card.Peak > 0) || card.SHA256 == before.SHA256 || card.Verify(t.Context()) != nil {
			t.Errorf("%s: %+v of model_sha256 %s, the processor's %s", name, card.Card, card.SHA256, before.SHA256)
		}
		after, err := models.OpenBundle(dir)
		if err != nil || after.SHA256 != before.SHA256 || after.Graph != before.Graph || !slices.Equal(after.Graphs, before.Graphs) || len(after.Cards) != 1 {
			t.Errorf("%s: the processor's model is %+v, was %+v: %v", name, after, before, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "onnx", ".*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
		// Files that nothing recorded, as a killed process leaves them, are no graph for a card, and are no harm.
		record, err := models.ReadRecord(dir)
		if err != nil {
			t.Fatal(err)
		}
		record.Card = nil
		record.Files = slices.DeleteFunc(record.Files, func(f models.File) bool { return strings.Contains(f.Path, "card_") })
		if err := models.WriteRecord(dir, record); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(card.GraphPath(), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		if left, err := models.OpenBundle(dir); err != nil || left.SHA256 != before.SHA256 {
			t.Errorf("%s: with half a graph for a card: %v", name, err)
		}
		if again, err := checkpoint.Card(t.Context(), dir, o); err != nil || again.SHA256 != card.SHA256 || again.Verify(t.Context()) != nil {
			t.Errorf("%s: after half a graph: %v", name, err)
		}
		// One that was damaged later is refused.
		if err := os.Truncate(card.GraphPath(), 100); err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Card(t.Context(), dir, o); !errors.Is(err, models.ErrDamaged) {
			t.Errorf("%s: cut short: %v", name, err)
		}
	}
}

// Processes that come together make it once, and wait for who does.
func TestProcessesThatComeTogetherMakeOneGraphForACard(t *testing.T) {
	if dir := os.Getenv("CARD_OF"); dir != "" {
		_, err := checkpoint.Card(t.Context(), dir, checkpoint.CardOptions{Note: func(s string) { t.Log(s) }})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := importTiny(t, "llama", checkpoint.FP32).Dir
	said := make(chan string, 3)
	for range cap(said) {
		go func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$") //nolint:gosec // ourselves
			cmd.Env = append(os.Environ(), "CARD_OF="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			said <- string(out)
		}()
	}
	made := 0
	for range cap(said) {
		made += strings.Count(<-said, "making the graph")
	}
	if card, err := models.OpenCard(dir, ""); err != nil || made != 1 || len(card.Cards) != 1 {
		t.Errorf("it was made %d times: %v", made, err)
	}
}

// enlarge multiplies the values of a tensor in the bundle's graph, which is recorded anew.
func enlarge(t *testing.T, dir, name string, factor float32) {
	t.Helper()
	file := filepath.Join(dir, "onnx", "model.onnx")
	g, err := graph.ReadNodes(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tensor := g.Tensors[name]
	if tensor.Length == 0 || tensor.File != "" {
		t.Fatalf("%s: %+v", name, tensor)
	}
	for at := tensor.Offset; at < tensor.Offset+tensor.Length; at += 4 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
		binary.LittleEndian.PutUint32(data[at:], math.Float32bits(v*factor))
	}
	if err := errors.Join(os.WriteFile(file, data, 0o644), os.Remove(filepath.Join(dir, models.RecordName))); err != nil {
		t.Fatal(err)
	}
}

// What overflows fp16 in samples is found when the graph is made: a stream, an MLP or an encoder's layer that does is left
// in fp32, and what lies beside a decoder's attention makes all bf16.
func TestValuesThatOverflowAreFoundInSamples(t *testing.T) {
	for _, c := range []struct {
		model, tensor   string
		factor          float32
		precision, want string
		wide            bool
		layers          []int
	}{
		{"mistral", "model.norm.weight", 1, "", models.FP16, false, nil},
		{"mistral", "model.embed_tokens.weight", 1e5, "", models.FP16, true, nil},
		{"mistral", "model.layers.1.mlp.down_proj.weight", 1e6, "", models.FP16, true, []int{1}},
		{"mistral", "model.layers.1.self_attn.o_proj.weight", 1e6, "", models.BF16, false, nil},
		{"mistral", "model.layers.1.self_attn.o_proj.weight", 1e6, models.FP16, "", false, nil},
		{"mistral", "model.layers.1.self_attn.o_proj.weight", 1e6, models.BF16, models.BF16, false, nil},
		{"bert", "encoder.layer.1.intermediate.dense.weight", 1e6, "", models.FP16, false, []int{1}},
		{"bert", "encoder.layer.1.intermediate.dense.weight", 1, models.BF16, "", false, nil},
	} {
		dir := importTiny(t, c.model, checkpoint.FP32).Dir
		enlarge(t, dir, c.tensor, c.factor)
		s, err := checkpoint.Card(t.Context(), dir, checkpoint.CardOptions{Precision: c.precision})
		if c.want == "" {
			if !errors.Is(err, checkpoint.ErrUnsupported) {
				t.Errorf("%+v: %v", c, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "onnx", "*card*")); len(left) > 0 {
				t.Errorf("%+v: left behind %v", c, left)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if g := s.Card; g.Precision != c.want || g.WideStream != c.wide || !slices.Equal(g.WideLayers, c.layers) || g.Why == "" {
			t.Errorf("%+v: %+v", c, g)
		}
	}
}

// Weights that others named cannot be found again.
func TestBundlesOfOthersHaveNoGraphForACard(t *testing.T) {
	for _, name := range []string{"optimum", "genai"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("../generate/testdata/exported", name))); err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Card(t.Context(), dir, checkpoint.CardOptions{}); !errors.Is(err, checkpoint.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
