package input

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExpand(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"b/2.txt", "b/c/1.txt", "b/.hidden", "b/.git/x.txt", "a.txt", "z.jsonl", "odd[1].txt"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll("empty/.x", 0o700), unix.Mkfifo("b/pipe", 0o600), os.Symlink("/", "b/link")); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"a.txt": "a.txt", "-": "-", "b": "b/2.txt b/c/1.txt", "z.jsonl b a.txt": "z.jsonl b/2.txt b/c/1.txt a.txt",
		"*.txt": "a.txt odd[1].txt", "odd[1].txt": "odd[1].txt", "*": "a.txt odd[1].txt z.jsonl", "b/*/*.txt": "b/c/1.txt", "gone": "gone",
	} {
		if got, _, err := Expand(strings.Fields(given)); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v; want %s", given, got, err, want)
		}
	}
	for given, want := range map[string]string{"empty": "empty", "*.csv": "*.csv", "b/[": "b/[", "empt*": "empt*"} {
		if got, _, err := Expand([]string{given}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", given, got, err)
		}
	}
}

// What a file is called does not depend on where its directory lies.
func TestNamesOfWholeFiles(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	for _, name := range []string{"d/a.md", "d/e/b.md", "c\xff.md"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for given, want := range map[string]string{
		"d": "a.md e/b.md", "d/": "a.md e/b.md", "./d/../d": "a.md e/b.md", root + "/d": "a.md e/b.md", ".": "c\ufffd.md d/a.md d/e/b.md",
		"./d//a.md": "d/a.md", "d/*.md d/e": "d/a.md b.md", "d/../c*": "c\ufffd.md",
	} {
		if _, got, err := Expand(strings.Fields(given)); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %s", given, got, err, want)
		}
	}
}

func TestListOfFiles(t *testing.T) {
	if got, err := List(strings.NewReader("a b\r\n\n./c\n"), "list"); err != nil || !slices.Equal(got, []string{"a b", "./c"}) {
		t.Errorf("got %q, %v", got, err)
	}
	for given, want := range map[string]string{"": "list: there is no file", "a\n-\n": "list: line 2", "a\n\nb\x00c": "list: line 3", "a\n" + strings.Repeat("x", 1<<17): "list: line 2"} {
		if got, err := List(strings.NewReader(given), "list"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %d names, %v", given, len(got), err)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add("a\nb\r\n\nc")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := List(strings.NewReader(text), "list")
		if (err == nil) != (len(names) > 0) || slices.Contains(names, "") || slices.Contains(names, "-") {
			t.Errorf("%q, %v", names, err)
		}
	})
}
