package checkpoint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"textmill/models/checkpoint"
)

// Without an adaptation the weights are the originals: the scoreboard has that.
func TestAdaptationsAreFoldedIn(t *testing.T) {
	source := filepath.Join("testdata", "tiny", "jina-v3-adapted")
	var want struct {
		Task string         `json:"task"`
		Rows []referenceRow `json:"rows"`
	}
	readJSON(t, filepath.Join(source, "task.json"), &want)
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Adaptation: want.Task})
	if err != nil {
		t.Fatal(err)
	}
	spec := openBundle(t, r.Dir)
	session := openSession(t, spec.GraphPath(), spec.Inputs, []string{"last_hidden_state"})
	compareHidden(t, session, len(spec.Inputs), want.Rows, len(want.Rows[0].IDs), false)
}

func TestAdaptationsThatAreNotThereAreNamed(t *testing.T) {
	lacks := copyTiny(t, "jina-v3-adapted")
	replace(t, filepath.Join(lacks, "model.safetensors"), "layers.0.mlp.fc1.parametrizations.weight.0.lora_A", "layers.0.mlp.fc1.parametrizations.weight.0.lora_C")
	for _, c := range []struct{ source, name, want string }{
		{filepath.Join("testdata", "tiny", "jina-v3-adapted"), "clustering", `"clustering"; it has retrieval.query, separation`},
		{filepath.Join("testdata", "tiny", "jina-v3"), "separation", "no lora_adaptations"},
		{lacks, "separation", "layers.0.mlp.fc1.parametrizations.weight.0.lora_A"},
	} {
		_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: c.source, Dir: t.TempDir(), Adaptation: c.name})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to name %s", c.name, err, c.want)
		}
	}
}

// Adapters are folded into plain matrices: of those that keep originals and adaptations none may be left out unsaid.
func TestAdaptersOfAdaptedModelsAreNotLeftOut(t *testing.T) {
	if _, err := importAdapted(t, "jina-v3-adapted", adapterOf("bert")); err == nil || !strings.Contains(err.Error(), "for which the model has no place") {
		t.Errorf("%v", err)
	}
}
