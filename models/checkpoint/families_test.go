package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"textmill/models/checkpoint"
)

// However a checkpoint keeps its numbers, logits and greedy tokens are the reference's: those of bf16 directories are the
// scoreboard's to show.
func TestEveryFormatGeneratesWhatTransformersDoes(t *testing.T) {
	for _, name := range provedBy("logits") {
		sources := map[string]string{}
		if _, err := os.Stat(filepath.Join("testdata", "tiny", name, "model.safetensors")); err == nil { // not in shards
			sources["fp32"] = asFP32(t, filepath.Join("testdata", "tiny", name))
		}
		if gguf := filepath.Join("testdata", name+".gguf"); exists(gguf) {
			sources["gguf"] = gguf
		}
		for kind, source := range sources {
			t.Run(name+"/"+kind, func(t *testing.T) {
				r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir()})
				if err != nil {
					t.Fatal(err)
				}
				if s := logitsOf(t, name, r.Dir); !(s.worst < mostOff) || s.agreed < s.of {
					t.Errorf("logits are off by %g of the greatest, %d of %d greedy tokens are the reference's", s.worst, s.agreed, s.of)
				}
			})
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// asFP32 is a copy of a directory whose bf16 weights are written as fp32.
func asFP32(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, "model.safetensors")
	data := read(t, file)
	n := binary.LittleEndian.Uint64(data)
	var header map[string]map[string]any
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	delete(header, "__metadata__")
	for name, h := range header {
		at, _ := h["data_offsets"].([]any)
		if h["dtype"] != "BF16" || len(at) != 2 {
			t.Fatalf("%s is %v", name, h)
		}
		h["dtype"], h["data_offsets"] = "F32", []float64{2 * at[0].(float64), 2 * at[1].(float64)}
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	wide := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	for body := data[8+n:]; len(body) > 0; body = body[2:] {
		wide = append(wide, 0, 0, body[0], body[1])
	}
	if err := os.WriteFile(file, wide, 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// Weights that are stored otherwise than they lie in the checkpoint (packed, or norms plus one) are the same ones when
// they are rounded to blocks: random logits of two layers stay near those of the reference.
func TestPackedWeightsAreRoundedWhereTheyBelong(t *testing.T) {
	for _, name := range []string{"gemma2", "phi3", "glm4"} {
		rows := readReference(t, name)
		s, near := openSlots(t, importTiny(t, name, checkpoint.Q8).Dir, 0, 1, 32), score{}
		for _, r := range rows {
			clear(s.used)
			for i, got := range s.run(0, [][]int64{r.IDs}, true) {
				near.logits(got, r.Values[i])
			}
		}
		if t.Logf("%s: off by %g", name, near.worst); !(near.worst < 0.4) || near.worst < mostOff {
			t.Errorf("%s: logits are off by %g of the greatest, with blocks of 8 bits", name, near.worst)
		}
	}
}

// Tables name their model by this hash: a checkpoint that was imported before must go on giving the same one.
func TestCheckpointsGoOnGivingTheSameModel(t *testing.T) {
	for source, want := range map[string]string{
		"testdata/llama.gguf":   "96836af3cfcdb0c665bbafa5e0d81ffb387ceb5a0d44a7dcf8b582c290a32f2a",
		"testdata/tiny/mistral": "078a4525dee80836a909725a2c1ec60233e30ae3b458157973032f66ebd1935a",
		"testdata/tiny/qwen2":   "32ea3fbe09aa48c3cfae44716b305ca64b1172025687ed9919561d466173c38e",
		"testdata/tiny/smollm3": "eb2ff431b615d203da4b02582ada91e8b0795d94eb31e7048b9e0c08cb50155a",
	} {
		r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		spec := openBundle(t, r.Dir)
		if spec.SHA256 != want {
			t.Errorf("%s comes to the model %s, it was %s", source, spec.SHA256, want)
		}
	}
}
