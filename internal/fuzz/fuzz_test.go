package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const targets = `package subject

import "testing"

var kept [][]byte

func FuzzFine(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {})
}

func FuzzPanics(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if string(data) != "x" {
			panic("found")
		}
	})
}

func FuzzGrows(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		more := make([]byte, 8<<20)
		for i := 0; i < len(more); i += 4096 {
			more[i] = 1
		}
		kept = append(kept, more)
	})
}
`

// TestFailuresAreFound runs a module with a target of each kind, as make fuzz runs this one.
func TestFailuresAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module subject\n\ngo 1.26\n", "subject.go": "package subject\n", "sub/none.go": "package sub\n", "subject_test.go": targets} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	o := options{dir: dir, time: 5 * time.Second, jobs: 3, memory: 256 << 20, only: regexp.MustCompile("")}
	err := run(t.Context(), &out, o)
	if err == nil {
		t.Fatalf("nothing was found:\n%s", out.String())
	}
	for target, want := range map[string]string{"FuzzFine": "ok", "FuzzPanics": "FAILED: .*", "FuzzGrows": "FAILED: .*"} {
		if !regexp.MustCompile(`(?m)^subject\.` + target + ` .* ` + want + `$`).MatchString(out.String()) {
			t.Errorf("%s is not %s:\n%s", target, want, out.String())
		}
		if named := strings.Contains(err.Error(), "subject."+target); named != (want != "ok") {
			t.Errorf("%s: the error names it: %t: %v", target, named, err)
		}
		found, globErr := filepath.Glob(filepath.Join(dir, "testdata", "fuzz", target, "*"))
		if globErr != nil || (len(found) > 0) != (want != "ok") {
			t.Errorf("%s: inputs kept: %v, %v", target, found, globErr)
		}
	}
}
