// Package textmill_test holds the rules of the whole tree: who may import whom, and what outsiders' files must agree with.
package textmill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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
	"cmd":      {"client", "config", "daemon", "export", "jobs", "local", "open"},
	"config":   {},
	"crash":    {"export"},
	"daemon":   {"config", "crash", "export", "input", "jobs", "models", "open", "work"},
	"export":   {},
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

// above are the folders that a folder's tests may also import, to open parts as the product does.
var above = map[string][]string{"work": {"config", "open"}}

// everyone may import these, which import nothing of ours.
var everyone = []string{"naming", "places", "plain", "regular"}

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
				if strings.HasSuffix(s.path, "_test.go") && slices.Contains(above[s.top], to) {
					continue
				}
				if to != s.top && !slices.Contains(everyone, to) && !slices.Contains(allowed, to) {
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
