package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// pages are the documents that users read, by their path from the root of the tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(root, name)
			found[rel] = string(text)
		}
	}
	if len(found) < 10 {
		t.Fatalf("found %d documents", len(found))
	}
	return found
}

// snippet is an indented block of a document, or a fenced one of a shell's commands.
type snippet struct {
	page  string
	lines []string
}

func snippets(pages map[string]string) (all []snippet) {
	for page, text := range pages {
		var open []string
		fence := ""
		for line := range strings.Lines(text + "\n") {
			code, ok := strings.CutPrefix(line, "    ")
			if mark, fenced := strings.CutPrefix(strings.TrimSpace(line), "```"); fenced {
				fence, ok = mark, false
			} else if fence != "" {
				code, ok = line, strings.HasPrefix(fence, "bash")
			}
			if ok {
				open = append(open, strings.TrimRight(code, "\n"))
				continue
			}
			if open != nil {
				all = append(all, snippet{page, open})
			}
			open = nil
		}
	}
	return all
}

func TestReadmeIsAPage(t *testing.T) {
	if size := len(pages(t)["README.md"]); size > 8192 {
		t.Errorf("README.md has %d bytes, more than the 8,192 of a page: proof and reference live in docs/", size)
	}
}

var (
	link  = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	title = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	n := 0
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			to := page
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
			if m[2] != "" && !slices.Contains(anchors(all[to]), m[2]) {
				t.Errorf("%s links to %s#%s, where no title is called that", page, to, m[2])
			}
		}
	}
	if n < 10 {
		t.Errorf("found %d relative links", n)
	}
}

// Who reads the README comes to every other document.
func TestEveryDocumentIsReached(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{"README.md": true, "CHANGELOG.md": true} // which operators know to look for
	for next := []string{"README.md"}; len(next) > 0; next = next[1:] {
		for _, m := range link.FindAllStringSubmatch(all[next[0]], -1) {
			to := filepath.Join(filepath.Dir(next[0]), m[1])
			if _, page := all[to]; page && !reached[to] {
				reached[to] = true
				next = append(next, to)
			}
		}
	}
	for page := range all {
		if !reached[page] {
			t.Errorf("no link leads from README.md to %s", page)
		}
	}
}

// anchors are the names by which the titles of a page are linked to.
func anchors(page string) (names []string) {
	for _, m := range title.FindAllStringSubmatch(page, -1) {
		names = append(names, strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// A path of this tree that a document names is there.
func TestPathsInDocumentsExist(t *testing.T) {
	path := regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)/?`")
	n := 0
	for page, text := range pages(t) {
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			top, _, _ := strings.Cut(m[1], "/")
			if _, err := os.Stat(filepath.Join(root, top)); err != nil || strings.HasPrefix(m[1], ".cache/") || strings.HasPrefix(m[1], "bin/") {
				continue // of another tree, or made by make
			}
			n++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names a path that is not there: %v", page, err)
			}
		}
	}
	if n < 50 {
		t.Errorf("found %d paths", n)
	}
}

var (
	word      = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
	remark    = regexp.MustCompile(`\s+#\s.*$`)
	variables = regexp.MustCompile(`^(?:[A-Z_]+=\S+\s+)+`)
)

// arguments are those of a line that runs textmill.
func arguments(line string) (args []string, ok bool) {
	line = variables.ReplaceAllString(strings.TrimPrefix(line, "$ "), "")
	line = strings.TrimPrefix(line, "bin/")
	if !strings.HasPrefix(line, "textmill ") {
		return nil, false
	}
	for _, w := range word.FindAllString(remark.ReplaceAllString(line, ""), -1)[1:] {
		if strings.ContainsAny(w[:1], "<>|&;") {
			break
		}
		args = append(args, strings.Trim(w, `"'`))
	}
	return args, true
}

// Every command that the documents show is one that this binary takes, flags and number of arguments included.
func TestCommandsInDocumentsAreTaken(t *testing.T) {
	n := 0
	for _, s := range snippets(pages(t)) {
		for _, line := range s.lines {
			args, ok := arguments(line)
			if !ok {
				continue
			}
			n++
			cmd, rest, err := rootCommand().Find(args)
			if err == nil && !cmd.HasParent() {
				t.Errorf("%s: %q names no command", s.page, line)
				continue
			}
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", s.page, line, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("found %d commands", n)
	}
}

func TestTargetsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile("(?m)(?:^    |`)make ((?:[a-z][a-z0-9-]*)(?: [a-z][a-z0-9-]*)*)")
	n := 0
	for page, text := range pages(t) {
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			for name := range strings.FieldsSeq(m[1]) {
				n++
				if !regexp.MustCompile(`(?m)^` + name + `:`).Match(makefile) {
					t.Errorf("%s: make %s: the Makefile has no such target", page, name)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("found %d targets", n)
	}
}

func TestJSONInDocumentsIsValid(t *testing.T) {
	n := 0
	for _, s := range snippets(pages(t)) {
		if !strings.HasPrefix(s.lines[0], "{") {
			continue
		}
		n++
		values := json.NewDecoder(strings.NewReader(strings.Join(s.lines, "\n")))
		for values.More() {
			var v any
			if err := values.Decode(&v); err != nil {
				t.Errorf("%s: %s: %v", s.page, s.lines[0], err)
				break
			}
		}
	}
	if n == 0 {
		t.Error("found no JSON")
	}
}

// A guarantee without a test is a wish: each test that a document names exists.
func TestTestsInDocumentsExist(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "grep", "-hoE", `^func (Test|Fuzz|Benchmark|Example)[A-Za-z0-9_]*`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal("git grep: ", err)
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		have[strings.TrimSpace(strings.TrimPrefix(line, "func "))] = true
	}
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9_]*)")
	n := 0
	for page, text := range pages(t) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			n++
			if !have[m[1]] {
				t.Errorf("%s names the test %s, which no package has", page, m[1])
			}
		}
	}
	if n < 40 {
		t.Errorf("found %d names of tests", n)
	}
}
