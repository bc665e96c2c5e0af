package models

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"textmill/ground/places"
)

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

func testSpec(t testing.TB) *Spec {
	t.Helper()
	spec, err := OpenBundle(places.Model(testHome(t), "all-MiniLM-L6-v2"))
	if err != nil {
		t.Fatalf("%v: run textmill setup", err)
	}
	return spec
}
