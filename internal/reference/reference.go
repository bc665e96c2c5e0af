// Package reference holds the parts of docs/reference that are the code's to say to what the code says; tests alone
// use it.
package reference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// updating is a variable and not a flag, so that packages whose tests know nothing of it may be named beside others.
const updating = "TEXTMILL_TEST_UPDATE_DOCS"

const end = "<!-- end -->\n"

// Holds compares a part of a page, from the line <!-- PART: make docs --> to <!-- end -->, with the text that the code
// has for it. With TEXTMILL_TEST_UPDATE_DOCS, as make docs sets it, it writes the text there instead.
func Holds(t *testing.T, page, part, text string) {
	t.Helper()
	file := filepath.Join(root(t), "docs", "reference", page)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin := "<!-- " + part + ": make docs -->\n"
	head, rest, ok := strings.Cut(string(data), begin)
	old, tail, whole := strings.Cut(rest, end)
	if !ok || !whole {
		t.Fatalf("%s has no part from %q to %q", file, begin, end)
	}
	want := "\n" + strings.Trim(text, "\n") + "\n\n"
	switch {
	case old == want:
	case os.Getenv(updating) != "":
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil { //nolint:gosec // for all
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/reference/%s: %s is not what the code says; run make docs\n%s", page, part, differences(old, want))
	}
}

// File compares a whole file of the reference in the same way.
func File(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(root(t), "docs", "reference", name)
	old, err := os.ReadFile(file)
	switch {
	case err == nil && string(old) == text:
	case os.Getenv(updating) != "":
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // for all
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/reference/%s is not what the code says; run make docs\n%s", name, differences(string(old), text))
	}
}

// differences are the lines that only one of the two has.
func differences(old, want string) string {
	var out strings.Builder
	only := func(mark, text, other string) {
		have := map[string]bool{}
		for line := range strings.Lines(other) {
			have[line] = true
		}
		for line := range strings.Lines(text) {
			if !have[line] {
				out.WriteString(mark + line)
			}
		}
	}
	only("page: ", old, want)
	only("code: ", want, old)
	return out.String()
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// Cell is text as a cell of a table shows it.
func Cell(text string) string { return strings.ReplaceAll(cell(text), "<", "\\<") }

// Code is text as code in a cell, nothing where there is none.
func Code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
