package textmill_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// spared are the libraries that a package must not bring into a program, which other packages of ours would.
var spared = map[string][]string{
	"client":       {"github.com/yalue/onnxruntime_go", "github.com/nats-io/nats-server/"}, // status need not load an inference engine
	"jobs/queue":   {"github.com/nats-io/nats-server/"},
	"local/tables": {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"warehouse":    {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"local/tokens": {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"models":       {"github.com/yalue/onnxruntime_go"},
	"open/bundle":  {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"open/dial":    {"github.com/yalue/onnxruntime_go", "github.com/nats-io/nats-server/"},
	"open/store":   {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
	"search":       {"github.com/yalue/onnxruntime_go", "github.com/nats-io/"},
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

var backticked = regexp.MustCompile("`([^`]+)`")

// TestTheMapNamesEveryPackage compares the table of ARCHITECTURE.md with the tree. What is internal to a package is its own.
func TestTheMapNamesEveryPackage(t *testing.T) {
	raw, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(raw), "\n## Packages")
	section, _, _ = strings.Cut(section, "\n## ")
	named := map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, name := range backticked.FindAllStringSubmatch(cells[1], -1) {
			named[name[1]] = false
		}
	}
	if !found || len(named) == 0 {
		t.Fatal("ARCHITECTURE.md has no table of packages")
	}
	for _, s := range tree(t) {
		if s.dir == "." || strings.Contains(s.dir, "/internal/") {
			continue
		}
		if _, ok := named[s.dir]; !ok {
			t.Errorf("the table of packages in ARCHITECTURE.md does not name %s", s.dir)
		}
		named[s.dir] = true
	}
	for name, there := range named {
		if !there {
			t.Errorf("ARCHITECTURE.md names the package %s, which has no Go file", name)
		}
	}
}

// TestTheWayOfADelivery holds the way that ARCHITECTURE.md shows from the queue to the ack to the files it names, and to be short.
func TestTheWayOfADelivery(t *testing.T) {
	raw, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, way, found := strings.Cut(string(raw), "\n## The way of a delivery\n")
	way, _, _ = strings.Cut(way, "\n## ")
	if !found {
		t.Fatal("ARCHITECTURE.md does not show the way")
	}
	steps := regexp.MustCompile(`(?m)^\d+\. `).Split(way, -1)[1:]
	if len(steps) == 0 || len(steps) > 12 {
		t.Errorf("%d steps, want at most 12", len(steps))
	}
	for i, step := range steps {
		if !strings.Contains(step, ".go`") {
			t.Errorf("step %d names no file", i+1)
		}
	}
	for _, name := range backticked.FindAllStringSubmatch(way, -1) {
		if _, err := os.Stat(name[1]); strings.HasSuffix(name[1], ".go") && err != nil {
			t.Errorf("it names a file that is not there: %v", err)
		}
	}
}
