package storage

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/export/disk"
	"textmill/internal/s3"
)

const uri = "s3://" + s3.Name + "/a/b"

func open(t *testing.T, uri string) Dir {
	t.Helper()
	d, err := Open(uri, Options{Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// staged leaves a file in the stage and returns its name.
func staged(t *testing.T, stage *disk.Dir, content string) string {
	t.Helper()
	f, err := os.CreateTemp(stage.Path(), "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(f.Name())
}

func content(t *testing.T, d Dir, name string) string {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	at := make([]byte, len(data)/2)
	if _, err := f.ReadAt(at, int64(len(data)-len(at))); err != nil || string(at) != string(data[len(data)-len(at):]) {
		t.Errorf("%s read at its middle: %v", name, err)
	}
	return string(data)
}

// A directory and a bucket's prefix do the same.
func TestDirs(t *testing.T) {
	s3.ForTest(t)
	for kind, uri := range map[string]string{"directory": t.TempDir(), "bucket": uri, "whole bucket": "s3://" + s3.Name} {
		t.Run(kind, func(t *testing.T) {
			root := open(t, uri)
			d, err := root.MakeSub("docs")
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			stage, err := d.MakeStage()
			if err != nil {
				t.Fatal(err)
			}
			defer stage.Close()
			if !strings.HasPrefix(root.Path(), strings.TrimSuffix(uri, "/")) || d.Path() != Join(uri, "docs") {
				t.Errorf("paths are %s and %s", root.Path(), d.Path())
			}
			filesAppearWhole(t, d, stage)
			filesAreListedAndVanish(t, root, d, stage)
		})
	}
}

func filesAppearWhole(t *testing.T, d Dir, stage *disk.Dir) {
	t.Helper()
	a, b := staged(t, stage, "first"), staged(t, stage, "second")
	if err := d.Link(stage, a, "one"); err != nil {
		t.Fatal(err)
	}
	first, err := d.Stat("one")
	if err != nil || first.Size != 5 || first.IsDir() {
		t.Errorf("stat: %+v, %v", first, err)
	}
	if err := d.Link(stage, b, "one"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second link: %v", err)
	}
	if got := content(t, d, "one"); got != "first" {
		t.Errorf("content is %q", got)
	}
	if err := d.Place(stage, b, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Stat(b); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a placed file is still staged: %v", err)
	}
	if got := content(t, d, "one"); got != "second" {
		t.Errorf("content is %q", got)
	}
	if again, err := d.Stat("one"); err != nil || again.Same(first) {
		t.Errorf("another file has the same stamp: %+v, %v", again, err)
	}
}

func filesAreListedAndVanish(t *testing.T, root, d Dir, stage *disk.Dir) {
	t.Helper()
	big := strings.Repeat("0123456789abcdef", 5<<16) // 5 MiB: read through a file
	if err := d.Place(stage, staged(t, stage, big), "two"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, d, "two"); got != big {
		t.Errorf("%d bytes, want %d", len(got), len(big))
	}
	for after, want := range map[string][]string{"": {"one", "two"}, "one": {"two"}, "two": nil} {
		got, err := d.Names(after)
		got = slices.DeleteFunc(got, func(n string) bool { return strings.HasPrefix(n, "_") })
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("names after %q are %v, want %v: %v", after, got, want, err)
		}
	}
	if names, err := root.Names(""); err != nil || !slices.Contains(names, "docs") {
		t.Errorf("names are %v: %v", names, err)
	}
	if st, err := root.Stat("docs"); err != nil || !st.IsDir() {
		t.Errorf("stat of a directory: %+v, %v", st, err)
	}
	if err := d.Unlink("one"); err != nil {
		t.Fatal(err)
	}
	_, statErr := d.Stat("one")
	_, openErr := d.Open("one")
	if !errors.Is(statErr, os.ErrNotExist) || !errors.Is(openErr, os.ErrNotExist) ||
		errors.Is(openErr, disk.ErrFailed) {
		t.Errorf("what is not there: %v, %v", statErr, openErr)
	}
}

// More names than one answer of the server holds.
func TestManyNames(t *testing.T) {
	s := s3.ForTest(t)
	dir := filepath.Join(s.Objects(), "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 2345 {
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+i%7)+"-"+string(rune('a'+i%26))+strings.Repeat("y",
			i/182)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(t, "s3://"+s3.Name+"/many").Names("")
	if err != nil || len(got) != len(want) || len(got) <= 1000 {
		t.Errorf("%d names, want %d: %v", len(got), len(want), err)
	}
}

// A link whose answer does not come back is uncertain, one that is refused because of another is not.
func TestUncertainLink(t *testing.T) {
	s := s3.ForTest(t)
	d := open(t, uri)
	stage, err := d.MakeStage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	for name, action := range map[string]s3.Action{
		"refused": s3.Refuse, "request-lost": s3.LoseRequest, "held": s3.Hold,
	} {
		s.Break("", func(*http.Request) s3.Action { return action })
		if err := d.Link(stage, staged(t, stage, "x"), name); !errors.Is(err, ErrUncertain) || errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Carried out but not answered: the client's next attempt meets its own object.
	for name, action := range map[string]s3.Action{"answer-lost": s3.LoseResponse, "failed-after": s3.FailAfter} {
		once := true
		s.Break("", func(r *http.Request) s3.Action {
			if once && r.Method == http.MethodPut {
				once = false
				return action
			}
			return s3.Pass
		})
		if err := d.Link(stage, staged(t, stage, "x"), name); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadsTryAgain(t *testing.T) {
	s := s3.ForTest(t)
	d := open(t, uri)
	if err := os.MkdirAll(filepath.Join(s.Objects(), "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Objects(), "a", "b", "x"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	left := 2
	s.Break("", func(*http.Request) s3.Action {
		if left == 0 {
			return s3.Pass
		}
		left--
		return s3.Refuse
	})
	if got := content(t, d, "x"); got != "content" {
		t.Errorf("content is %q", got)
	}
}

// A server that lets a second put win is refused: two daemons could both commit the same version.
func TestServerWithoutConditionalPuts(t *testing.T) {
	s := s3.ForTest(t)
	s.Break("", func(r *http.Request) s3.Action {
		if r.Method == http.MethodPut { // as if nothing were there yet
			if err := s.Lose(strings.TrimPrefix(r.URL.Path, "/"+s3.Name+"/")); err != nil {
				t.Error(err)
			}
		}
		return s3.Pass
	})
	if _, err := Open(uri, Options{Scratch: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("got %v", err)
	}
}

func TestBadURIs(t *testing.T) {
	for uri, want := range map[string]string{
		"":                 "name a directory",
		"s3://":            "no bucket's name",
		"s3://B":           "no bucket's name",
		"s3://bucket/../x": "prefix has the part",
		"s3://bucket/a//b": "prefix has the part",
		"s3://bucket/a?b":  "prefix has the part",
		"gs://bucket/a":    "gs storage is not supported",
		"file://host/x":    "file:///absolute/path",
	} {
		if _, err := Absolute(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", uri, err, want)
		}
	}
	for uri, want := range map[string]string{
		"s3://bucket": "s3://bucket", "s3://bucket/": "s3://bucket", "s3://bucket/a/b/": "s3://bucket/a/b",
		"file:///x/../y": "/y",
	} {
		if got, err := Absolute(uri); err != nil || got != want {
			t.Errorf("%q is %q, want %q: %v", uri, got, want, err)
		}
	}
}
