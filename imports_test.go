// Package textmill_test holds the rules of the whole tree: who may import whom, and what outsiders' files must agree with.
package textmill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "textmill"

// downward says which other trees of ours each top-level folder may import; its own it always may.
var downward = map[string][]string{
	".":        {"config"}, // the tests of this folder
	"bench":    {"config", "export", "jobs", "models", "tokenize"},
	"client":   {"config", "export", "input", "jobs", "models", "open", "work"},
	"cmd":      {"client", "config", "daemon", "export", "jobs", "local", "open", "tokenize"},
	"config":   {},
	"counted":  {},
	"crash":    {"export"},
	"daemon":   {"config", "crash", "export", "input", "jobs", "models", "open", "work"},
	"durable":  {},
	"export":   {},
	"flock":    {},
	"input":    {"export", "jobs"},
	"internal": {"client", "config", "export", "input", "jobs", "local", "models", "tokenize"}, // what breaks things from outside
	"jobs":     {},
	"local":    {"config", "export", "input", "jobs", "models", "open", "tokenize", "work"},
	"models":   {"tokenize"},
	"naming":   {},
	"open":     {"config", "jobs", "models", "tokenize", "work"},
	"places":   {},
	"plain":    {},
	"regular":  {},
	"test":     {}, // runs the binary, as its users do
	"tokenize": {},
	"work":     {"crash", "export", "input", "jobs", "models", "tokenize"},
}

// everyone may import these, which import nothing of ours.
var everyone = []string{"counted", "durable", "flock", "naming", "places", "plain", "regular"}

// only says which folder alone may import a library.
var only = map[string]string{
	"github.com/nats-io/":                 "jobs",
	"github.com/yalue/onnxruntime_go":     "models",
	"github.com/parquet-go/parquet-go":    "export",
	"github.com/spf13/cobra":              "cmd",
	"github.com/prometheus/client_golang": "daemon",
	"github.com/minio/":                   "export",
}

// testOnly are what tests of every folder may import, and nothing but tests.
var testOnly = []string{module + "/internal/golden", module + "/internal/reference", module + "/internal/s3", module + "/internal/users", module + "/models/internal/tiny"}

type source struct {
	path string // slash-separated, from the root
	top  string // its top-level folder, or "."
	file *ast.File
}

// tree parses every Go file of the module.
func tree(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		top, _, below := strings.Cut(path, "/")
		if !below {
			top = "."
		}
		all = append(all, source{path: path, top: top, file: f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsGoDown(t *testing.T) {
	for _, s := range tree(t) {
		allowed, ok := downward[s.top]
		if !ok {
			t.Errorf("%s: folder %s has no place in the one way of imports", s.path, s.top)
		}
		for _, spec := range s.file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if rest, ours := strings.CutPrefix(path, module+"/"); ours {
				to, _, _ := strings.Cut(rest, "/")
				if slices.Contains(testOnly, path) && s.top != "internal" {
					if !strings.HasSuffix(s.path, "_test.go") {
						t.Errorf("%s imports %s, which only tests may", s.path, path)
					}
					continue
				}
				ground := slices.Contains(everyone, to) && !slices.Contains(everyone, s.top)
				if to != s.top && !ground && !slices.Contains(allowed, to) {
					t.Errorf("%s imports %s; %s may import %v", s.path, path, s.top, allowed)
				}
			}
			for library, home := range only {
				if strings.HasPrefix(path, library) && s.top != home && s.top != "internal" {
					t.Errorf("%s imports %s, which only %s may", s.path, path, home)
				}
			}
		}
	}
}

// spared are the libraries that a package must not bring into a program, which other packages of ours would.
var spared = map[string][]string{
	"client":      {"github.com/yalue/onnxruntime_go", "github.com/nats-io/nats-server/"}, // status need not load an inference engine
	"jobs/queue":  {"github.com/nats-io/nats-server/"},
	"models":      {"github.com/yalue/onnxruntime_go"},
	"open/bundle": {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"open/dial":   {"github.com/yalue/onnxruntime_go", "github.com/nats-io/nats-server/"},
}

func TestPackagesLinkNoMoreThanTheyNeed(t *testing.T) {
	for name, libraries := range spared {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+name).Output()
		if err != nil {
			t.Fatalf("go list -deps ./%s: %v", name, err)
		}
		if !strings.Contains(string(out), module+"/"+name+"\n") {
			t.Fatalf("go list names no package %s", name)
		}
		for dependency := range strings.Lines(string(out)) {
			for _, library := range libraries {
				if strings.HasPrefix(dependency, library) {
					t.Errorf("%s links %s", name, strings.TrimSpace(dependency))
				}
			}
		}
	}
}

// TestPackagesAreOneSentence holds each package to a comment, since that is where a reader starts.
func TestPackagesAreOneSentence(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range tree(t) {
		dir := filepath.ToSlash(filepath.Dir(s.path))
		if strings.HasSuffix(s.path, "_test.go") && s.top != "." && s.top != "test" {
			continue
		}
		documented[dir] = documented[dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
		switch base := filepath.Base(dir); base {
		case "util", "utils", "common", "types", "pkg", "helpers":
			t.Errorf("%s: %q says nothing of what is inside", dir, base)
		}
	}
}
