package bundles

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"textmill/config"
	"textmill/ground/places"
	"textmill/models/checkpoint"
	"textmill/models/session"
)

// What was measured of a model is shown by inspect once a session, or verify, did it.
func TestInspectShowsWhatWasMeasured(t *testing.T) {
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Set: []string{"home=" + t.TempDir(), "runtime.library=" + places.Library(home)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"llama", "bert"} {
		_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join("../../models/checkpoint/testdata/tiny", name),
			Dir: places.Models(cfg.Home), Name: name, Precision: checkpoint.Q4})
		if err != nil {
			t.Fatal(err)
		}
		inspect := func() string {
			t.Helper()
			var out bytes.Buffer
			if err := Inspect(cfg, name, &out, false); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		if got := inspect(); !strings.Contains(got, "onnx/model.onnx: not measured") || !strings.Contains(got, session.InstructionSets()) {
			t.Errorf("%s before it was measured:\n%s", name, got)
		}
		var out bytes.Buffer
		if err := Verify(t.Context(), cfg, VerifyOptions{Names: []string{name}, Out: &out, Progress: io.Discard}); err != nil {
			t.Fatal(err)
		}
		for how, got := range map[string]string{"verify": out.String(), "inspect": inspect()} {
			if !strings.Contains(got, "onnx/model.onnx: the same bits in every batch") || name == "llama" && !strings.Contains(got, "tokens/s in decodes of 16") {
				t.Errorf("%s of %s:\n%s", how, name, got)
			}
		}
	}
}
