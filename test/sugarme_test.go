package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSugarmeMakesTheTokens has a daemon and embed use the engine that the configuration names: plain texts come to the same
// vectors, and one that ends the library's process is an error row among them.
func TestSugarmeMakesTheTokens(t *testing.T) {
	home := newHome(t)
	config := filepath.Join(home, "textmill.yaml")
	err := os.WriteFile(config, []byte("models: {"+model+": {tokenizer_engine: sugarme, batch_tokens: 1024}}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	records := `{"id":"a","text":"read a file line by line"}` + "\n" + `{"id":"deadly","text":"\ufffd[C\u0000"}` + "\n" +
		`{"id":"b","text":"wait for several things"}` + "\n" + `{"id":"other","text":"Zürich 数字"}` + "\n"
	type answer struct {
		ID, Error string
		Embedding []float64
	}
	ask := func(args ...string) (byID map[string]answer, stderr string) {
		r := call{home: home, env: quick, stdin: records}.ok(t, append([]string{"embed", "--model", model}, args...)...)
		byID = map[string]answer{}
		for line := range strings.Lines(r.stdout) {
			var a answer
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			byID[a.ID] = a
		}
		return byID, r.stderr
	}
	ours, _ := ask()
	theirs, said := ask("-c", config)
	if !strings.Contains(said, "sugarme/tokenizer, not as Hugging Face does") || !strings.Contains(said, "samples_that_differ=") {
		t.Errorf("no warning names the differences:\n%s", said)
	}
	if e := theirs["deadly"].Error; !strings.HasPrefix(e, "model_failed: engine sugarme: ") || ours["deadly"].Error != "" {
		t.Errorf("the deadly text: %q, and with our engine %q", e, ours["deadly"].Error)
	}
	for _, id := range []string{"a", "b"} {
		x, y := ours[id].Embedding, theirs[id].Embedding
		if len(x) != 384 || len(y) != 384 || dot(x, y) < 0.99999 {
			t.Errorf("%s: %d and %d dimensions, cosine %f", id, len(x), len(y), dot(x, y))
		}
	}
	if x, y := ours["other"].Embedding, theirs["other"].Embedding; len(y) != 384 || dot(x, y) > 0.99 {
		t.Errorf("a text of which the library makes other tokens has our vector: the key does nothing")
	}

	d := startCommand(t, home, call{home: home, env: daemonEnv("TEXTMILL_MODELS_ALL_MINILM_L6_V2_BATCH_TOKENS=1024")}.command(t, t.Context(), "daemon", "-c", config))
	if !d.says("sugarme/tokenizer, not as Hugging Face does") {
		t.Errorf("the daemon does not warn:\n%s", d.text())
	}
	d.submit("docs", "j", records)
	d.client().run(t, "watch", "j")
	got := rows(t, d.table("docs"))
	if len(got) != 4 || got["a"].Error != "" || got["b"].Error != "" || !strings.HasPrefix(got["deadly"].Error, "model_failed: ") {
		b, _ := json.Marshal(got)
		t.Errorf("rows: %s", b)
	}
	d.signal(os.Interrupt)
	if code := d.wait(); code != 0 {
		t.Errorf("the daemon ended with %d:\n%s", code, d.text())
	}
	r := call{home: home, env: quick}.run(t, "generate", "--model", "SmolLM2-135M-Instruct", "--set", "models.SmolLM2-135M-Instruct.tokenizer_engine=sugarme", "x")
	if r.code != 1 || !strings.Contains(r.stderr, "sugarme is for embedding models") {
		t.Errorf("generate: exit %d\n%s", r.code, r.stderr)
	}
}
