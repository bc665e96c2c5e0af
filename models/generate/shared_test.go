package generate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/fetch"
	"textmill/models/session"
)

// bundles are imported once for all tests of the package.
var bundles struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "textmill-generate-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bundles.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// Testdata is where the tiny checkpoints are.
const Testdata = "../checkpoint/testdata"

// Imported is the bundle of a checkpoint in a precision, "" for the one that an import chooses.
func Imported(t testing.TB, source, precision string) *models.Spec {
	t.Helper()
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// FreshSession has a home of its own, where nothing is known of any model.
func FreshSession(t testing.TB) session.Options {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	return session.Options{Home: t.TempDir(), Library: places.Library(home)}
}

// SmolLM2 is the folder of the real model in a precision: in fp32 the one that set-up imported.
func SmolLM2(t testing.TB, precision string) string {
	t.Helper()
	const name = "SmolLM2-135M-Instruct"
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	if dir := places.Model(home, name); precision == checkpoint.FP32 {
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("%v: run textmill setup", err)
		}
		return dir
	}
	bundles.Lock()
	defer bundles.Unlock()
	dir := filepath.Join(bundles.dir, name+"-"+precision)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		got, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, name)
		if err != nil {
			t.Fatal(err)
		}
		source := filepath.Join(got.Path, name+".Q4_1.gguf")
		if _, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: bundles.dir, Name: filepath.Base(dir), Precision: precision}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
