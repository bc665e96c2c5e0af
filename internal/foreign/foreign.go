// Package foreign runs Python programs in tests, which read and write tables as textmill's users do.
package foreign

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Leave ends a program that did its work: the libraries' own threads sometimes abort an interpreter that ends by
// itself.
const Leave = "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n"

// Python runs a program with arguments and returns what it printed. The test fails with the program's errors.
func Python(t testing.TB, program string, args ...string) string {
	t.Helper()
	return PythonWith(t, nil, program, args...)
}

// PythonWith runs a program in this process's environment and what env adds to it.
func PythonWith(t testing.TB, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Interpreter(t), append([]string{"-c", program + Leave}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s\n%s%s", err, program, out, stderr.Bytes())
	}
	return string(out)
}

// Interpreter is $TEXTMILL_TEST_PYTHON or the one that make prepared beside go.mod.
func Interpreter(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("TEXTMILL_TEST_PYTHON"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		p := filepath.Join(dir, ".cache", "venv", "bin", "python")
		if _, err := os.Stat(p); err != nil {
			t.Fatal("no Python for the tests: run make test")
		}
		return p
	}
	t.Fatal("no go.mod above the test")
	return ""
}
