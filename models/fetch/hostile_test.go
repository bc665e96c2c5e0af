package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/places"
)

// hostile serves a hub that lists what sibling says, and answers for each file by serve.
func hostile(t *testing.T, sha string, siblings []map[string]any, serve http.HandlerFunc) Options {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": sha, "siblings": siblings})
			return
		}
		serve(w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_HUB_OFFLINE", "")
	home := filepath.Join(t.TempDir(), "deep", "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return Options{Home: home}
}

func sibling(name string, size int64) map[string]any {
	return map[string]any{"rfilename": name, "size": size, "blobId": strings.Repeat("0", 40)}
}

func TestAHubCannotNamePlacesOutside(t *testing.T) {
	for _, sha := range []string{"x/../../../../escaped", "..", "main", strings.Repeat("a", 39) + "/", ""} {
		o := hostile(t, sha, []map[string]any{sibling("onnx/model.onnx", 1), sibling("config.json", 2)}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
		if _, err := Pull(t.Context(), o, "acme/m", "m"); err == nil || !strings.Contains(err.Error(), "names no commit") {
			t.Errorf("commit %q: %v", sha, err)
		}
		for dir := filepath.Dir(o.Home); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
			if found, _ := filepath.Glob(filepath.Join(dir, "*escaped*")); len(found) > 0 {
				t.Errorf("commit %q wrote %v", sha, found)
			}
		}
	}
}

func TestAHubCannotFillTheDisk(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	o := hostile(t, commit, []map[string]any{sibling("onnx/model.onnx", 1000), sibling("config.json", 2)}, endless)
	if _, err := Pull(t.Context(), o, "acme/m", "m"); !errors.Is(err, errTooLong) {
		t.Errorf("a file without an end: %v", err)
	}
	err := filepath.WalkDir(o.Home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if st, err := d.Info(); err != nil || st.Size() > 1000 {
			t.Errorf("%s was kept: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9000000000000")
		w.WriteHeader(http.StatusOK)
	}
	o = hostile(t, commit, []map[string]any{sibling("onnx/model.onnx", 1000), sibling("config.json", 2)}, claims)
	if _, err := Pull(t.Context(), o, "acme/m", "m"); !errors.Is(err, errTooLong) {
		t.Errorf("a file that claims terabytes: %v", err)
	}
	many := []map[string]any{sibling("onnx/model.onnx", 1)}
	for i := range mostFiles + 1 {
		many = append(many, sibling(fmt.Sprintf("f%d.json", i), 2))
	}
	never := func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked for", r.URL.Path) }
	for name, siblings := range map[string][]map[string]any{
		"has":   {sibling("onnx/model.onnx", -1), sibling("config.json", 2)},
		"left":  {sibling("onnx/model.onnx", 1<<49), sibling("config.json", 2)},
		"lists": many,
	} {
		o := hostile(t, commit, siblings, never)
		if _, err := Pull(t.Context(), o, "acme/m", "m"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRedirectsKeepTheToken has the hub send its clients to its storage, as it does, and elsewhere.
func TestRedirectsKeepTheToken(t *testing.T) {
	h, o := startHub(t)
	t.Setenv("HF_TOKEN", "secret")
	var seen []string
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		h.ServeHTTP(w, r)
	}))
	defer storage.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, storage.URL+r.URL.Path, http.StatusFound)
	}))
	defer front.Close()
	t.Setenv("HF_ENDPOINT", front.URL)
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", "tiny"); err != nil {
		t.Fatal(err)
	}
	for _, token := range seen {
		if token != "" {
			t.Errorf("the storage was sent the token: %q", token)
		}
	}
	if len(seen) == 0 {
		t.Error("nobody was sent to the storage")
	}

	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	}))
	defer loop.Close()
	t.Setenv("HF_ENDPOINT", loop.URL)
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", "again"); err == nil || !strings.Contains(err.Error(), "without an end") {
		t.Errorf("a loop of redirects: %v", err)
	}
	if _, err := os.Stat(places.Model(o.Home, "again")); !os.IsNotExist(err) {
		t.Errorf("something was installed: %v", err)
	}

	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, storage.URL+r.URL.Path, http.StatusFound)
	}))
	defer secure.Close()
	asking := secure.Client()
	asking.CheckRedirect = checkRedirect
	before := len(seen)
	res, err := asking.Get(secure.URL)
	if err == nil {
		res.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "redirects from https") || len(seen) != before {
		t.Errorf("out of TLS: %v", err)
	}
}
