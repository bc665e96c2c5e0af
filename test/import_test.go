package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tinyBERT is a random checkpoint of a few kilobytes.
const tinyBERT = "../models/checkpoint/testdata/tiny/bert"

// TestImportedModelEmbeds turns a checkpoint into a model and runs it; a damaged one is refused and leaves nothing.
func TestImportedModelEmbeds(t *testing.T) {
	home := newHome(t)
	if err := os.Remove(filepath.Join(home, "models")); err != nil { // the shared one is not this test's to write to
		t.Fatal(err)
	}
	c := call{home: home}
	var m struct {
		Name, Task  string
		Dim         int
		ModelSHA256 string `json:"model_sha256"`
	}
	if err := json.Unmarshal([]byte(c.ok(t, "models", "import", tinyBERT, "--name", "tiny", "--json").stdout), &m); err != nil {
		t.Fatal(err)
	}
	if m.Name != "tiny" || m.Task != "embed" || m.Dim == 0 || len(m.ModelSHA256) != 64 {
		t.Errorf("imported: %+v", m)
	}
	c.ok(t, "models", "verify", "tiny")
	var answer struct{ Dim int }
	if err := json.Unmarshal([]byte(c.ok(t, "embed", "--model", "tiny", "some text").stdout), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Dim != m.Dim {
		t.Errorf("its vectors have %d dimensions, the model %d", answer.Dim, m.Dim)
	}
	if r := c.run(t, "models", "import", tinyBERT, "--name", "tiny"); r.code != 1 || !strings.Contains(r.stderr, "another name") {
		t.Errorf("importing twice: exit %d\n%s", r.code, r.stderr)
	}
	if r := c.run(t, "models", "import", tinyBERT, "--precision", "fp17"); r.code != 2 {
		t.Errorf("an unknown precision: exit %d\n%s", r.code, r.stderr)
	}
	damaged := filepath.Join(t.TempDir(), "damaged")
	if err := os.CopyFS(damaged, os.DirFS(tinyBERT)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(damaged, "model.safetensors"), 3000); err != nil {
		t.Fatal(err)
	}
	r := c.run(t, "models", "import", damaged)
	if r.code != 1 || !strings.Contains(r.stderr, "model.safetensors") {
		t.Errorf("a cut checkpoint: exit %d\n%s", r.code, r.stderr)
	}
	if list := c.ok(t, "models", "list").stdout; strings.Contains(list, "damaged") {
		t.Errorf("a refused import left something:\n%s", list)
	}
}

// TestVerifyMeasuresWhatRoundingCosts compares a rounded decoder with an exact one and with its checkpoint.
func TestVerifyMeasuresWhatRoundingCosts(t *testing.T) {
	home := newHome(t)
	if err := os.Remove(filepath.Join(home, "models")); err != nil {
		t.Fatal(err)
	}
	const source = "../models/checkpoint/testdata/llama.gguf"
	c := call{home: home}
	c.ok(t, "models", "import", source, "--name", "exact")
	c.ok(t, "models", "import", source, "--name", "rounded", "--precision", "q8")
	var kl []float64
	for _, against := range []string{"exact", source} {
		var v struct {
			OK     bool
			Graphs []struct {
				KL, Top1  float64
				Positions int
			}
		}
		if err := json.Unmarshal([]byte(c.ok(t, "models", "verify", "rounded", "--against", against, "--json").stdout), &v); err != nil {
			t.Fatal(err)
		}
		if !v.OK || len(v.Graphs) != 1 || v.Graphs[0].KL <= 0 || v.Graphs[0].KL > 0.1 || v.Graphs[0].Positions < 100 {
			t.Fatalf("against %s: %+v", against, v)
		}
		kl = append(kl, v.Graphs[0].KL)
	}
	if kl[0] != kl[1] {
		t.Errorf("against the import and the checkpoint: %v", kl)
	}
	if r := c.ok(t, "models", "verify"); strings.Count(r.stdout, "as recorded") != 2 || !strings.Contains(r.stderr, "--against") {
		t.Errorf("verify:\n%s%s", r.stdout, r.stderr)
	}
	if r := c.run(t, "models", "verify", "--against", "exact"); r.code != 2 {
		t.Errorf("--against without a model: exit %d\n%s", r.code, r.stderr)
	}
	if left, err := filepath.Glob(filepath.Join(home, ".verify-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestImportedDecoderIsInspected looks at a decoder that was made of a GGUF file.
func TestImportedDecoderIsInspected(t *testing.T) {
	c := call{home: t.TempDir()}
	c.ok(t, "models", "import", "../models/checkpoint/testdata/llama.gguf", "--precision", "q8", "--name", "tiny")
	var m struct {
		Task, Architecture, Precision string
		Layers, Heads                 int
		KVHeads                       int   `json:"kv_heads"`
		VocabSize                     int   `json:"vocab_size"`
		MaxLength                     int   `json:"max_length"`
		EOS                           []int `json:"eos_token_id"`
		ChatTemplate                  bool  `json:"chat_template"`
	}
	if err := json.Unmarshal([]byte(c.ok(t, "models", "inspect", "tiny", "--json").stdout), &m); err != nil {
		t.Fatal(err)
	}
	if m.Task != "generate" || m.Architecture != "LlamaForCausalLM" || m.Precision != "q8" || m.Layers != 2 || m.Heads != 2 || m.KVHeads != 1 ||
		m.VocabSize != 64 || m.MaxLength != 64 || len(m.EOS) != 1 || m.EOS[0] != 2 || !m.ChatTemplate {
		t.Errorf("inspected: %+v", m)
	}
	text := strings.Join(strings.Fields(c.ok(t, "models", "inspect", "tiny").stdout), " ")
	for _, want := range []string{"precision q8", "eos_token_id 2", "chat_template present", "past_key_values (4)"} {
		if !strings.Contains(text, want) {
			t.Errorf("inspect does not say %q:\n%s", want, text)
		}
	}
	if list := c.ok(t, "models", "list").stdout; !strings.Contains(list, "generate  -") {
		t.Errorf("list:\n%s", list)
	}
}

// TestImportNamesWhatIsNotHonoured: what generation_config.json asks for is done, or named when the model is imported and after. What
// requests may ask for is bounded by the configuration.
func TestImportNamesWhatIsNotHonoured(t *testing.T) {
	home := newHome(t)
	if err := os.Remove(filepath.Join(home, "models")); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "llama")
	if err := os.CopyFS(source, os.DirFS("../models/checkpoint/testdata/tiny/llama")); err != nil {
		t.Fatal(err)
	}
	const file = `{"eos_token_id":2,"max_new_tokens":5,"forced_eos_token_id":2,"begin_suppress_tokens":[11],"num_beams":4,"penalty_alpha":0.6,"frobnicate":1}`
	if err := os.WriteFile(filepath.Join(source, "generation_config.json"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	c := call{home: home}
	said := c.ok(t, "models", "import", source, "--name", "tiny").stderr
	shown := strings.Join(strings.Fields(c.ok(t, "models", "inspect", "tiny").stdout), " ")
	for _, key := range []string{"num_beams 4", "penalty_alpha 0.6", "frobnicate 1"} {
		for _, text := range []string{said, shown} {
			if !strings.Contains(text, "generation_config.json: "+key+" is not honoured: ") {
				t.Errorf("nothing is said of %s:\n%s", key, text)
			}
		}
	}
	for _, want := range []string{"generation begin_suppress_tokens [11]", "generation forced_eos_token_id 2", "generation max_new_tokens 5"} {
		if !strings.Contains(shown, want) {
			t.Errorf("inspect does not say %q:\n%s", want, shown)
		}
	}
	var answer struct {
		IDs    []int  `json:"output_ids"`
		Finish string `json:"finish_reason"`
	}
	c.stdin = `{"id":"a","text":"t5"}` + "\n"
	if err := json.Unmarshal([]byte(c.ok(t, "generate", "--model", "tiny").stdout), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.IDs) != 5 || answer.IDs[4] != 2 || answer.Finish != "eos" {
		t.Errorf("%+v", answer)
	}
	for key, params := range map[string]string{"max_new_tokens": `{"max_new_tokens":3}`, "n": `{"n":3}`, "top_logprobs": `{"top_logprobs":3}`, "stop": `{"stop":["a","b","c"]}`} {
		c.stdin = `{"id":"a","text":"t5","params":` + params + "}\n"
		if said := c.run(t, "generate", "--model", "tiny", "--set", "limits."+key+"=2").stdout; !strings.Contains(said, "(limits."+key+")") {
			t.Errorf("limits.%s: %s", key, said)
		}
	}
}
