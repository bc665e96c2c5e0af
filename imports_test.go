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

// downward says which packages of ours each room of the tree may import, and no more than it does: a room is a package with
// those below it, but for those that are rooms themselves. What is in its own room it always may. "x/..." is x and all below it.
var downward = map[string][]string{
	"cmd": {"client", "config", "daemon", "input", "jobs", "local/...", "open/bundle", "open/telemetry", "search", "tokenize/sugarme", "warehouse"},

	"client": {"config", "crash", "export", "input", "jobs", "jobs/queue", "models", "open/bundle", "open/dial", "open/store", "open/telemetry", "work/resolve"},
	"daemon": {"client", "config", "crash", "daemon/...", "export", "input", "jobs", "jobs/embedded", "jobs/queue", "models", "models/facts", "open", "open/bundle", "open/dial", "open/store", "open/telemetry", "work/rows", "work/trace"},

	"daemon/announce":     {"export", "jobs/queue", "work/commits"},
	"daemon/catalog":      {"export", "export/parquetin", "jobs", "models", "search", "search/words", "warehouse", "work/rows"},
	"daemon/commit":       {"crash", "daemon/inflight", "daemon/lately", "daemon/metrics", "export"},
	"daemon/descriptors":  {},
	"daemon/feed":         {},
	"daemon/follow":       {"daemon/metrics", "export", "jobs", "jobs/queue"},
	"daemon/housekeeping": {"daemon/metrics", "export", "jobs", "jobs/queue"},
	"daemon/inflight":     {"export", "jobs", "jobs/queue", "open/telemetry"},
	"daemon/lately":       {},
	"daemon/letters":      {"daemon/metrics", "jobs/queue"},
	"daemon/metrics":      {"daemon/lately", "export", "models/generate", "work/embedding", "work/rows"},
	"daemon/turns":        {"jobs/queue"},
	"daemon/batches":      {"client", "export", "input", "jobs", "jobs/queue", "open/telemetry", "work/batchlines"},
	"daemon/api":          {"daemon/batches", "export", "input", "jobs", "jobs/queue", "models", "open/telemetry", "work/answers", "work/rows"},
	"daemon/page":         {"daemon/catalog", "daemon/lately", "daemon/metrics", "daemon/session", "daemon/tracing", "jobs", "models", "models/facts", "work/trace"},
	"daemon/tracing":      {"jobs", "work/trace"},
	"daemon/session":      {},
	"daemon/web":          {"daemon/api", "daemon/page", "daemon/session"},

	"local":           {"input", "jobs"},
	"local/bench":     {"config", "export", "jobs", "local", "models", "models/embed", "models/generate", "models/session", "open", "open/bundle", "work/rows"},
	"local/bundles":   {"config", "local", "models", "models/checkpoint", "models/compare", "models/embed", "models/facts", "models/fetch", "models/generate", "models/session", "open", "open/bundle"},
	"local/doctor":    {"config", "export", "jobs/queue", "models", "models/session", "open", "open/bundle", "open/dial", "open/store"},
	"local/questions": {"config", "export", "jobs", "local", "models", "open", "open/bundle", "search", "search/words", "work/rows"},
	"local/tables":    {"config", "export", "local", "open/store", "work/batchlines"},
	"local/texts":     {"config", "export", "jobs", "local", "models", "models/generate", "models/vector", "open", "work/rows"},
	"local/tokens":    {"config", "jobs", "local", "open/bundle", "tokenize", "tokenize/sugarme"},
	"local/traces":    {"config", "jobs", "local", "open", "open/bundle", "work/trace"},
	"local/following": {"crash", "export", "jobs", "work/commits"},

	"open":           {"config", "jobs", "models", "models/checkpoint", "models/embed", "models/generate", "models/session", "open/bundle", "tokenize", "tokenize/sugarme", "work/embedding", "work/generation", "work/rows"},
	"open/bundle":    {"config", "models"},
	"open/dial":      {"config", "jobs/queue"},
	"open/store":     {"config", "crash", "export"},
	"open/telemetry": {"config"},

	"warehouse":    {"export"},
	"search/words": {"export", "export/scan", "jobs", "models", "models/vector", "search", "work/rows"},
	"search":       {"export", "export/parquetin", "export/scan", "models/vector"},

	"work/answers":    {"export", "jobs", "work/rows"},
	"work/batchlines": {"export", "input", "jobs", "work/answers", "work/rows"},
	"work/commits":    {"export", "jobs"},
	"work/trace":      {"jobs", "models", "models/embed", "models/generate", "models/sample", "models/vector", "tokenize", "work/embedding", "work/generation", "work/rows"},
	"work/embedding":  {"crash", "export", "jobs", "models", "models/embed", "models/session", "models/vector", "tokenize", "work/resolve", "work/rows"},
	"work/generation": {"crash", "export", "jobs", "models", "models/generate", "models/sample", "models/session", "tokenize", "tokenize/chat", "work/rows"},
	"work/resolve":    {"export", "jobs", "models", "models/vector"},
	"work/rows":       {"export", "jobs", "models"},

	"models":            {"models/internal/...", "models/sample", "tokenize"},
	"models/checkpoint": {"models", "models/head", "models/internal/...", "tokenize"},
	"models/compare":    {"models", "models/internal/...", "models/session", "tokenize"},
	"models/embed":      {"models", "models/head", "models/internal/...", "models/session"},
	"models/facts":      {"models", "tokenize/chat"},
	"models/fetch":      {"models", "models/checkpoint"},
	"models/head":       {"models", "models/checkpoint/safetensors", "models/checkpoint/tensor"},
	"models/generate":   {"models", "models/internal/...", "models/sample", "models/session", "tokenize"},
	"models/internal":   {},
	"models/sample":     {},
	"models/session":    {"models", "models/internal/..."},
	"models/vector":     {},

	"crash":         {"export/disk"},
	"input":         {"export/parquetin", "export/storage", "jobs"},
	"export":        {},
	"jobs":          {},
	"jobs/embedded": {},
	"jobs/queue":    {"jobs"},
	"tokenize":      {},
	"config":        {},

	// The ground floor.
	"ground/counted": {},
	"ground/durable": {},
	"ground/flock":   {},
	"ground/naming":  {},
	"ground/ondisk":  {},
	"ground/places":  {},
	"ground/plain":   {},
	"ground/regular": {},

	// What looks at the whole from outside.
	".":                  {},
	"internal":           {},
	"internal/maketable": {"export"},
	"internal/committed": {"export"},
	"internal/chaos":     {"export", "export/storage", "internal/avx2/processor", "internal/s3", "jobs", "jobs/queue", "models", "models/checkpoint", "models/checkpoint/onnxgraph", "models/session"},
	"test":               {}, // runs the binary, as its users do
}

// inTests are the packages that only the tests of a top-level folder import, beside those of their own folder.
var inTests = map[string][]string{
	".":      {"config"},
	"client": {"jobs/embedded"},
	"daemon": {"export", "export/disk", "jobs", "jobs/embedded", "jobs/queue", "models/checkpoint", "work/rows"},
	"local":  {"export/part", "jobs/embedded"},
	"work":   {"input", "models/checkpoint", "models/fetch", "models/session"},
}

// everyone may import these, which import nothing of ours.
var everyone = []string{"ground/counted", "ground/durable", "ground/flock", "ground/naming", "ground/ondisk", "ground/places", "ground/plain", "ground/regular"}

// only says which folder alone may import a library.
var only = map[string]string{
	"github.com/nats-io/":                 "jobs",
	"github.com/yalue/onnxruntime_go":     "models",
	"github.com/parquet-go/parquet-go":    "export",
	"github.com/spf13/cobra":              "cmd",
	"github.com/prometheus/client_golang": "daemon",
	"github.com/minio/":                   "export",
	"github.com/jackc/":                   "warehouse",
	"github.com/viterin/vek":              "search",
	"github.com/JohannesKaufmann/":        "input",
	"golang.org/x/net/":                   "input",
	"go.opentelemetry.io/":                "open",
}

// testOnly are what tests of every folder may import, and nothing but tests.
var testOnly = []string{"internal/authority", "internal/avx2/processor", "internal/committed", "internal/foreign", "internal/golden", "internal/losing", "internal/otlp", "internal/reference", "internal/s3", "internal/users", "models/internal/cuda/fake", "models/internal/tiny"}

type source struct {
	path string // slash-separated, from the root
	dir  string // of path
	top  string // its top-level folder, or "."
	file *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// room is where the file lies in downward.
func (s source) room() string {
	for dir := s.dir; dir != "."; dir = filepath.ToSlash(filepath.Dir(dir)) {
		if _, ok := downward[dir]; ok {
			return dir
		}
	}
	return "."
}

// imports are the file's imports, those of ours from the root of the tree.
func (s source) imports(t *testing.T) (ours, others []string) {
	t.Helper()
	for _, spec := range s.file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, is := strings.CutPrefix(path, module+"/"); is {
			ours = append(ours, rest)
		} else {
			others = append(others, path)
		}
	}
	return ours, others
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
		all = append(all, source{path: path, dir: filepath.ToSlash(filepath.Dir(path)), top: top, file: f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func topOf(dir string) string {
	top, _, _ := strings.Cut(dir, "/")
	return top
}

// listed gives the element of a list that names a package.
func listed(list []string, dir string) (string, bool) {
	for _, pattern := range list {
		below, tree := strings.CutSuffix(pattern, "/...")
		if dir == below || tree && strings.HasPrefix(dir, below+"/") {
			return pattern, true
		}
	}
	return "", false
}

func TestImportsGoDown(t *testing.T) {
	used := map[[2]string]bool{}
	for _, s := range tree(t) {
		room := s.room()
		if room == "." && s.dir != "." {
			t.Errorf("%s: its package has no place in the one way of imports", s.path)
			continue
		}
		ours, others := s.imports(t)
		for _, dir := range ours {
			pattern, allowed := listed(downward[room], dir)
			switch own := (source{dir: dir}).room() == room; {
			case own, slices.Contains(everyone, dir) && !slices.Contains(everyone, room):
				continue
			case slices.Contains(testOnly, dir) && s.top != "internal":
				if !s.isTest() {
					t.Errorf("%s imports %s, which only tests may", s.path, dir)
				}
				continue
			case allowed && !s.isTest():
				used[[2]string{room, pattern}] = true
				continue
			case allowed, s.isTest() && topOf(dir) == s.top:
				continue
			case s.isTest():
				if pattern, allowed = listed(inTests[s.top], dir); allowed {
					used[[2]string{"tests of " + s.top, pattern}] = true
					continue
				}
			}
			t.Errorf("%s imports %s; %s may import %v", s.path, dir, room, downward[room])
		}
		for _, path := range others {
			for library, home := range only {
				if strings.HasPrefix(path, library) && s.top != home && s.top != "internal" {
					t.Errorf("%s imports %s, which only %s may", s.path, path, home)
				}
			}
		}
	}
	for room, list := range downward {
		for _, pattern := range list {
			if !used[[2]string{room, pattern}] {
				t.Errorf("%s may import %s, and does not", room, pattern)
			}
		}
	}
	for top, list := range inTests {
		for _, pattern := range list {
			if !used[[2]string{"tests of " + top, pattern}] {
				t.Errorf("the tests of %s may import %s, and do not", top, pattern)
			}
		}
	}
}

// TestFoldersMakeNoCircle holds the floors apart, of tests too: no top-level folder reaches itself by way of another.
func TestFoldersMakeNoCircle(t *testing.T) {
	below := map[string]map[string]bool{}
	for _, s := range tree(t) {
		ours, _ := s.imports(t)
		for _, dir := range ours {
			if to := topOf(dir); to != s.top && !slices.Contains(testOnly, dir) {
				if below[s.top] == nil {
					below[s.top] = map[string]bool{}
				}
				below[s.top][to] = true
			}
		}
	}
	var follow func(way []string)
	follow = func(way []string) {
		for to := range below[way[len(way)-1]] {
			switch at := slices.Index(way, to); {
			case at == 0:
				t.Errorf("a circle: %s → %s", strings.Join(way, " → "), to)
			case at < 0:
				follow(append(slices.Clone(way), to))
			}
		}
	}
	for top := range below {
		follow([]string{top})
	}
}
