package embed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/models"
	"textmill/models/internal/tiny"
	"textmill/models/session"
)

// expected is a text whose vector sentence-transformers computed.
type expected struct {
	ID        string    `json:"id"`
	IDs       []int32   `json:"input_ids"`
	Embedding []float32 `json:"embedding"`
}

func readGolden(t testing.TB) []expected {
	t.Helper()
	all := golden.Values[expected](t, "testdata/golden.jsonl.gz")
	if len(all) != 168 {
		t.Fatalf("%d golden vectors, want 168", len(all))
	}
	return all
}

func testHome(t testing.TB) string {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(places.Library(home)); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v: run textmill setup", err)
	}
	return home
}

func testSpec(t testing.TB) *models.Spec {
	t.Helper()
	spec, err := models.OpenBundle(places.Model(testHome(t), "all-MiniLM-L6-v2"))
	if err != nil {
		t.Fatalf("%v: run textmill setup", err)
	}
	return spec
}

// sessions are costly to open and never shrink, so that the tests share one.
var shared = sync.OnceValues(func() (*Embedder, error) {
	home, err := places.Home()
	if err != nil {
		return nil, err
	}
	spec, err := models.OpenBundle(places.Model(home, "all-MiniLM-L6-v2"))
	if err != nil {
		return nil, err
	}
	return Open(context.Background(), spec, session.Options{Home: home, BatchTokens: 1024})
})

func testEmbedder(t testing.TB) *Embedder {
	t.Helper()
	testSpec(t)
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWrongHashNamesBoth(t *testing.T) {
	dir := tiny.Bundle(t, tiny.Model{}, nil)
	s, err := models.OpenBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "onnx", "model.onnx")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := sha256.Sum256(data)
	data[len(data)/2] ^= 1
	after := sha256.Sum256(data)
	tiny.WriteFile(t, path, data)
	_, err = Open(t.Context(), s, session.Options{Home: testHome(t)})
	if !errors.Is(err, models.ErrDamaged) {
		t.Fatalf("%v, want models.ErrDamaged", err)
	}
	for _, want := range []string{path, hex.EncodeToString(before[:]), hex.EncodeToString(after[:]), "textmill models pull"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
}
