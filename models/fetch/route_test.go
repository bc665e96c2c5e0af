package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"textmill/ground/naming"
)

// clientScript puts a package client of that name into dir.
func clientScript(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}), second(w.Write([]byte(text)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func second(_ int, err error) error { return err }

func hash(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// onlyPath makes a folder the whole PATH, but for the shell's own tools.
func onlyPath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"cp", "sh"} {
		for _, at := range []string{"/bin/", "/usr/bin/"} {
			if _, err := os.Stat(at + tool); err == nil {
				if err := os.Symlink(at+tool, filepath.Join(dir, tool)); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

func TestTheNextSourceIsTriedAndNamed(t *testing.T) {
	path := onlyPath(t)
	pack := tarred(t, map[string]string{"deep/lib.so": "library"})
	source := filepath.Join(t.TempDir(), "lib.tgz")
	if err := os.WriteFile(source, pack, 0o644); err != nil {
		t.Fatal(err)
	}
	clientScript(t, path, "npm", `case "$*" in
--version) ;;
*lib@3) while [ "$1" != --pack-destination ]; do shift; done; cp '`+source+`' "$2/lib.tgz";;
*) echo "npm error 404 no such package" >&2; exit 1;;
esac`)

	pins := []pin{{"deep/lib.so", "lib.so", hash([]byte("library"))}}
	routes := []route{
		{"plan9/z80", "0", []part{{npm{}, "elsewhere", "0", "00", pins}}},
		{"", "1", []part{{wheel{"any", "311"}, "lib", "1", "00", pins}}},
		{"", "2", []part{{npm{}, "lib", "2", "00", pins}}},
		{"", "3", []part{{npm{}, "lib", "3", hash(pack), pins}}},
	}
	var said []string
	o := Options{Home: t.TempDir(), Progress: func(p Progress) { said = append(said, p.Source+" "+p.Message) }}
	unlock, err := o.lock(t.Context(), "lib")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	got := ""
	r, err := o.obtain(t.Context(), "lib", routes, func(r route, staging string) error {
		data, err := os.ReadFile(filepath.Join(staging, "lib.so"))
		got = string(data)
		return err
	})
	if err != nil || got != "library" || r.version != "3" {
		t.Fatalf("%v, %q, %+v", err, got, r)
	}
	for _, want := range []string{"Python wheel lib 1 did not answer", "npm package lib 2 did not answer"} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("progress does not say %q: %q", want, said)
		}
	}

	_, err = o.obtain(t.Context(), "lib", routes[:3], nil)
	for _, want := range []string{"pip is missing", "install", "404 no such package"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestAContainerThatIsNotThePinnedOneIsRefused(t *testing.T) {
	path := onlyPath(t)
	clientScript(t, path, "npm", `[ "$1" = --version ] && exit 0; while [ "$1" != --pack-destination ]; do shift; done; echo other > "$2/x.tgz"`)
	o := Options{Home: t.TempDir()}
	unlock, err := o.lock(t.Context(), "lib")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	want := hash([]byte("pinned"))
	_, err = o.obtain(t.Context(), "lib", []route{{"", "1", []part{{npm{}, "lib", "1", want, nil}}}}, nil)
	if !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), hash([]byte("other\n"))) {
		t.Errorf("%v, want ErrHash with both hashes", err)
	}
}

func TestUnpack(t *testing.T) {
	files := map[string]string{"a/b.txt": "one", "c.txt": "two", "unwanted": "x"}
	for name, data := range map[string][]byte{"zip": zipped(t, files), "tar": tarred(t, files)} {
		container := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(container, data, 0o644); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := unpack(t.Context(), container, []pin{{"a/b.txt", "x/y.txt", hash([]byte("one"))}, {"c.txt", "c.txt", ""}}, dir); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "x", "y.txt")); err != nil || string(got) != "one" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := unpack(t.Context(), container, []pin{{"c.txt", "c.txt", hash([]byte("other"))}}, dir); !errors.Is(err, ErrHash) {
			t.Errorf("%s: %v, want ErrHash", name, err)
		}
		if err := unpack(t.Context(), container, []pin{{"absent", "absent", ""}}, dir); err == nil || !strings.Contains(err.Error(), "absent") {
			t.Errorf("%s: absent file: %v", name, err)
		}
	}
}

func TestEveryPinIsWholeAndUnique(t *testing.T) {
	sum := regexp.MustCompile(`^[0-9a-f]{64}$`)
	check := func(name string, routes []route) {
		for _, r := range routes {
			seen := map[string]bool{}
			for _, p := range r.parts {
				for _, f := range p.pins {
					if f.sha256 == "" && p.sha256 == "" || f.sha256 != "" && !sum.MatchString(f.sha256) || p.sha256 != "" && !sum.MatchString(p.sha256) {
						t.Errorf("%s %s: %s is not pinned", name, r.describe(), f.in)
					}
					if seen[f.to] {
						t.Errorf("%s %s: %s comes twice", name, r.describe(), f.to)
					}
					seen[f.to] = true
				}
			}
		}
	}
	check(runtimeName, library)
	for name, m := range knownModels {
		check(name, m.routes)
		if naming.CheckModel(name) != nil {
			t.Errorf("%s is no model name", name)
		}
	}
}

func TestWhatIsWholeIsKept(t *testing.T) {
	h, o := startHub(t)
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", DefaultModels[0]); err != nil {
		t.Fatal(err)
	}
	asked := len(h.tokens)
	got, err := Model(t.Context(), o, DefaultModels[0])
	if err != nil || got.Fresh || len(h.tokens) != asked {
		t.Errorf("%+v, %v, %d further requests", got, err, len(h.tokens)-asked)
	}
}
