package bundles

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/config"
	"textmill/ground/places"
	"textmill/local"
	"textmill/models"
)

// imported is a home with tiny models and their graphs for a card.
func imported(t *testing.T, precision string, names ...string) config.Config {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Set: []string{"home=" + t.TempDir(), "runtime.library=" + places.Library(home)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		o := ImportOptions{Source: filepath.Join("../../models/checkpoint/testdata/tiny", name), Precision: precision, Out: io.Discard, Progress: io.Discard}
		if precision == "" || precision == "q4" {
			o.Device = "cuda"
		}
		if err := Import(t.Context(), cfg, o); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func driftOf(t *testing.T, cfg config.Config, names ...string) ([]drift, error) {
	t.Helper()
	var out bytes.Buffer
	failed := Verify(t.Context(), cfg, VerifyOptions{Names: names, Device: "cpu", Against: "cpu", JSON: true, Out: &out, Progress: io.Discard})
	var all []drift
	for line := range strings.Lines(out.String()) {
		var d drift
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all, failed
}

// Every family's graph for a card is next to the processor's, in each precision that it has.
func TestDriftOfGraphsForACardIsSmall(t *testing.T) {
	decoders := []string{"llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3"}
	encoders := []string{"bert", "xlm-roberta", "distilbert", "modernbert", "modernbert-biased", "mpnet", "nomic", "gte", "new", "electra", "albert", "jina-v3"}
	for precision, names := range map[string][]string{"": slices.Concat(decoders, encoders), models.BF16: decoders, "q4": decoders[:1]} {
		found, err := driftOf(t, imported(t, precision, names...), names...)
		if err != nil || len(found) != len(names) {
			t.Fatalf("%d of %d: %v", len(found), len(names), err)
		}
		for i, d := range found {
			decoder := d.Difference != nil
			if d.Name != names[i] || !d.OK || d.Texts == 0 || d.SHA256 == "" || decoder != slices.Contains(decoders, d.Name) {
				t.Errorf("%+v", d)
			}
			if decoder && !(d.KL > 0 && d.KL < 0.01 && d.Positions > 0 && d.MaxLogitError > 0) || !decoder && !(d.Cosine > 0.9999 && d.Cosine < 1) {
				t.Errorf("%s: cosine %v, %+v", d.Name, d.Cosine, d.Difference)
			}
		}
	}
}

// A graph that computes something else fails, and so does one whose bytes are not those that were recorded.
func TestDriftOfAnotherModelFails(t *testing.T) {
	cfg := imported(t, models.FP16, "llama", "smollm3") // which have the same sizes
	dir := places.Model(cfg.Home, "llama")
	file := filepath.Join(dir, filepath.FromSlash(models.CardFile(models.FP16)))
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := os.ReadFile(strings.Replace(file, "llama", "smollm3", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := driftOf(t, cfg, "llama"); !errors.Is(err, models.ErrDamaged) {
		t.Errorf("another model's graph: %v", err)
	}
	record, err := models.ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if record.Files, err = models.HashBundle(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := models.WriteRecord(dir, record); err != nil {
		t.Fatal(err)
	}
	if found, err := driftOf(t, cfg, "llama"); !errors.Is(err, ErrDrift) || len(found) != 1 || found[0].OK || found[0].KL < 0.01 {
		t.Errorf("another model's graph, recorded: %+v, %v", found, err)
	}
	if err := os.WriteFile(file, right[:len(right)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := driftOf(t, cfg, "llama"); !errors.Is(err, models.ErrDamaged) {
		t.Errorf("half a graph: %v", err)
	}
}

func TestDevicesOfVerifyAreChecked(t *testing.T) {
	for _, o := range []VerifyOptions{{Device: "cpu"}, {Device: "cpu", Names: []string{"a"}, Against: "b"}, {Device: "tpu", Names: []string{"llama"}}} {
		if err := Verify(t.Context(), imported(t, "", "llama"), o); !errors.Is(err, local.ErrUsage) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	cfg := imported(t, "", "llama")
	for _, o := range []ImportOptions{{Source: "x", Precision: "fp8"}, {Source: "x", Device: "tpu"}} {
		if err := Import(t.Context(), cfg, o); !errors.Is(err, local.ErrUsage) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	var out bytes.Buffer
	if err := Inspect(cfg, "llama", &out, false); err != nil || !strings.Contains(out.String(), "onnx/card_fp16.onnx, for a card: values of samples are up to") {
		t.Errorf("%s, %v", out.String(), err)
	}
}
