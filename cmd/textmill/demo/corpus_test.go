package demo

import (
	"errors"
	"strings"
	"testing"

	"textmill/jobs"
)

func TestCorpusIsThousandsOfNamedComments(t *testing.T) {
	root, err := goRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]jobs.Record{}
	err = corpus(t.Context(), root, func(r jobs.Record) error {
		if _, twice := seen[r.ID]; twice {
			t.Errorf("%s comes twice", r.ID)
		}
		seen[r.ID] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 5000 {
		t.Errorf("%d comments, want thousands", len(seen))
	}
	for id, kind := range map[string]string{
		"bufio": "package", "bufio.Scanner": "type", "bufio.Scanner.Scan": "method", "bufio.NewScanner": "func",
		"io.EOF": "var", "net/http.Get": "func",
	} {
		r := seen[id]
		if r.Attributes["kind"] != kind || !strings.HasPrefix(id, r.Attributes["package"]) || r.Text == "" {
			t.Errorf("%s: %+v, want a %s", id, r, kind)
		}
	}
	stop := errors.New("enough")
	if err := corpus(t.Context(), root, func(jobs.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of each was lost: %v", err)
	}
}

func TestGoRootWithoutSource(t *testing.T) {
	t.Setenv("GOROOT", t.TempDir())
	if _, err := goRoot(t.Context()); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("goRoot: %v", err)
	}
	t.Setenv("GOROOT", "")
	t.Setenv("PATH", t.TempDir())
	if _, err := goRoot(t.Context()); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "set GOROOT") {
		t.Errorf("goRoot without go: %v", err)
	}
}
