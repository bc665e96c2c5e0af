package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFoldersLiveAsTables has a table follow a folder whose files are written, mended, emptied and removed.
func TestFoldersLiveAsTables(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	root := t.TempDir()
	put := func(name, data string) {
		t.Helper()
		path := filepath.Join(root, "docs", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
	}
	sync := func(want [5]int, leftOut, errors int, docs string) string {
		t.Helper()
		c := d.client()
		c.dir = root
		r := c.run(t, "submit", "--json", "--sync", "--delete-missing", "--whole-files", "--model", model, "--dataset", "handbook", docs)
		var s struct {
			synced
			LeftOut int `json:"files_left_out"`
			Errors  int
		}
		if r.code != 0 || json.Unmarshal([]byte(r.stdout), &s) != nil {
			t.Fatalf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		if s.counts() != want || s.LeftOut != leftOut || s.Errors != errors {
			t.Errorf("%+v, want %v, %d left out, %d errors\n%s", s, want, leftOut, errors, r.stderr)
		}
		return r.stdout + r.stderr
	}
	put("a.md", "# A\n")
	put("in/b.html", "<title>The B</title><p>b &amp; c")
	put("in/c.txt", "\xff\xfec\x00")
	put("logo.png", "\x89PNG\r\n\x1a\n\x00")
	put("latin1.txt", "gr\xf6\xdfe")
	put(".hidden", "x")
	said := sync([5]int{0, 4, 0, 0, 0}, 1, 1, "docs")
	for _, want := range []string{"docs/logo.png is left out: it is no text (image/png)", "latin1.txt: byte 3 is not valid UTF-8"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	put("latin1.txt", "größe")
	put("a.md", "# A, mended\n")
	put("in/c.txt", " \n")
	sync([5]int{1, 0, 2, 1, 0}, 2, 0, filepath.Join(root, "docs")) // the same folder by another path
	d.isTable(t, "handbook", map[string]string{"a.md": "# A, mended\n", "in/b.html": "b & c", "latin1.txt": "größe"})
	if err := os.Remove(filepath.Join(root, "docs/a.md")); err != nil {
		t.Fatal(err)
	}
	sync([5]int{2, 0, 0, 1, 0}, 2, 0, "docs/")
	if r := (d.client()).ok(t, "search", "handbook", "b", "-k", "1", "--where", "title=The B"); !strings.Contains(r.stdout, "in/b.html") {
		t.Errorf("by its title: %s", r.stdout)
	}
	put("big.txt", strings.Repeat("a very long text ", 70_000))
	r := d.client().ok(t, "submit", "--dry-run", "--whole-files", "--set", "limits.claim_bytes=0", "--model", model, filepath.Join(root, "docs"))
	if !strings.Contains(r.stdout, "records  3\n") || !strings.Contains(r.stdout, "too_long: big.txt: the record takes 11") || !strings.Contains(r.stdout, "split the text") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	for want, args := range map[string][]string{"would both have the id b.html": {filepath.Join(root, "docs/in"), filepath.Join(root, "other")}, "leave --format and the columns out": {"--format", "text", root}, "- has no path": {"-"}} {
		if err := os.MkdirAll(filepath.Join(root, "other"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, "other/b.html"), "x")
		if r := d.client().run(t, append([]string{"submit", "--whole-files", "--model", model}, args...)...); r.code != 2 || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
}
