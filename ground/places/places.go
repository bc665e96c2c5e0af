// Package places says where things lie below the two folders that belong to a user: home, which can be fetched again,
// and data.
package places

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// HomeVariable is the environment variable that names the home.
const HomeVariable = "TEXTMILL_HOME"

// Home is what HomeVariable names, else the folder textmill under the user's cache.
func Home() (string, error) {
	if home := os.Getenv(HomeVariable); home != "" {
		return home, nil
	}
	return Cache()
}

// Cache is the home where nothing names one.
func Cache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder (%s can name one): %w", HomeVariable, err)
	}
	return filepath.Join(cache, "textmill"), nil
}

// Data is the folder of textmill under the user's data; false where this user has none. Windows has one place for
// both, which nothing clears.
func Data() (string, bool) {
	switch runtime.GOOS {
	case "windows":
		dir, err := os.UserCacheDir()
		return filepath.Join(dir, "textmill"), err == nil
	case "darwin", "ios":
		dir, err := os.UserConfigDir() // Application Support
		return filepath.Join(dir, "textmill"), err == nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // a relative one counts as unset, says its specification
		return filepath.Join(dir, "textmill"), true
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "textmill"), err == nil
}

// Library is ONNX Runtime as `textmill setup` obtains it.
func Library(home string) string { return filepath.Join(home, "lib", libraryName(runtime.GOOS)) }

// CUDALibrary is ONNX Runtime's build for cards, with what it needs beside it.
func CUDALibrary(home string) string {
	return filepath.Join(home, "lib", "cuda", libraryName(runtime.GOOS))
}

func libraryName(system string) string {
	if system == "darwin" {
		return "libonnxruntime.dylib"
	}
	return "libonnxruntime.so"
}

// Models holds the bundles, each in a folder of its name.
func Models(home string) string { return filepath.Join(home, "models") }

// Model is the bundle called name.
func Model(home, name string) string { return filepath.Join(Models(home), name) }

// Checkpoint is what the model called name is imported from, where it is kept.
func Checkpoint(home, name string) string { return filepath.Join(home, "checkpoints", name) }

// Downloads holds what is being obtained.
func Downloads(home string) string { return filepath.Join(home, "downloads") }

// BatchTokens is the book of the batch sizes that were measured on this machine.
func BatchTokens(home string) string { return filepath.Join(home, "batch-tokens.json") }

// RunShapes is the book of which runs compute the same bits on this machine. Another way of measuring needs another
// name.
func RunShapes(home string) string { return filepath.Join(home, "run-shapes-1.json") }

// Findings is the book of what commands measured of models on this machine.
func Findings(home string) string { return filepath.Join(home, "findings-1.json") }

// Queue is the store of the NATS server in the daemon.
func Queue(data string) string { return filepath.Join(data, "nats") }

// Credential is the key of the clients of the server whose store is in the folder queue.
func Credential(queue string) string { return filepath.Join(queue, "credential.nk") }

// Tables holds the tables, each in a folder of its dataset's name.
func Tables(data string) string { return filepath.Join(data, "tables") }

// Scratch holds what waits to be uploaded to a bucket.
func Scratch(data string) string { return filepath.Join(data, "scratch") }
