package test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyModel gives a home a model of its own that may be damaged: files as they are, the graph as a link unless it is to be
// written to.
func copyModel(t testing.TB, home, name string, ownGraph bool) string {
	t.Helper()
	from, err := filepath.EvalSymlinks(filepath.Join(newHome(t), "models", model))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(home, "models", name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// modelsHome is a TEXTMILL_HOME whose models are the test's own.
func modelsHome(t testing.TB) string {
	t.Helper()
	home := newHome(t)
	if err := os.Remove(filepath.Join(home, "models")); err != nil {
		t.Fatal(err)
	}
	return home
}
