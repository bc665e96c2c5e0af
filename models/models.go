// Package models turns token IDs into vectors with the models that a bundle's own files describe.
package models

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Home is $TEXTMILL_HOME, else the folder textmill under the user's cache folder.
func Home() (string, error) {
	if home := os.Getenv("TEXTMILL_HOME"); home != "" {
		return home, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder (TEXTMILL_HOME can name one): %w", err)
	}
	return filepath.Join(cache, "textmill"), nil
}

// LibraryPath is where `textmill setup` keeps ONNX Runtime under home.
func LibraryPath(home string) string {
	name := "libonnxruntime.so"
	if runtime.GOOS == "darwin" {
		name = "libonnxruntime.dylib"
	}
	return filepath.Join(home, "lib", name)
}

// BundleDir is where the bundle called name lives under home.
func BundleDir(home, name string) string { return filepath.Join(home, "models", name) }
