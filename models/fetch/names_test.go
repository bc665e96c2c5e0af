package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
)

const (
	staticRepository = "minishlab/potion-base-8M"
	later            = "89abcdef0123456789abcdef0123456789abcdef"
)

// serveCheckpoint has a hub serve a tiny checkpoint under a known name, its weights from another host, as the hub's storage.
func serveCheckpoint(t *testing.T, tiny string, refuse int) Options {
	t.Helper()
	files := map[string][]byte{"README.md": []byte("not wanted"), "consolidated.safetensors": []byte("not wanted"),
		"onnx/model.onnx": onnx()}
	dir := filepath.Join("..", "checkpoint", "testdata", "tiny", tiny)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil && e.Name() != "vectors.json" {
			files[e.Name()] = data
		}
	}
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the storage got the token")
		}
		_, _ = w.Write(files[strings.TrimPrefix(r.URL.Path, "/")])
	}))
	t.Cleanup(storage.Close)
	h := &fakeHub{files: files, large: "model.safetensors"}
	head := commit // of main, which moves with every listing
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, isFile := strings.CutPrefix(r.URL.Path, "/"+staticRepository+"/resolve/"+commit+"/")
		switch {
		case refuse != 0:
			http.Error(w, "no", refuse)
		case r.URL.Path == "/api/models/"+staticRepository+"/revision/main":
			var l map[string]json.RawMessage
			rec := httptest.NewRecorder()
			h.list(rec)
			_ = json.Unmarshal(rec.Body.Bytes(), &l)
			l["sha"], _ = json.Marshal(head)
			head = later
			_ = json.NewEncoder(w).Encode(l)
		case isFile && name == h.large:
			w.Header().Set("ETag", fmt.Sprintf("%q", "as the hub has it"))
			http.Redirect(w, r, storage.URL+"/"+name, http.StatusFound)
		case isFile:
			_, _ = w.Write(files[name])
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(hub.Close)
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_TOKEN", "secret")
	t.Setenv("HF_HUB_OFFLINE", "")
	return Options{Home: t.TempDir()}
}

// A known name brings its checkpoint, not the graph beside it, at the commit that main was when it was asked for.
func TestAKnownNameIsPulledAndImported(t *testing.T) {
	o := serveCheckpoint(t, "model2vec", 0)
	got, err := Pull(t.Context(), o, "potion-base-8M", "")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(places.Model(o.Home, "potion-base-8M"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != commit || spec.Static == nil || !strings.Contains(spec.Source, commit) || spec.Verify(t.Context()) != nil {
		t.Errorf("%+v, %+v", got, spec)
	}
	left, err := filepath.Glob(filepath.Join(places.Downloads(o.Home), "[^.]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAGatedModelSaysHowToGetIn(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		for token, want := range map[string]string{"": "set HF_TOKEN", "secret": "HF_TOKEN is set, but its owner may not read this"} {
			o := serveCheckpoint(t, "model2vec", status)
			t.Setenv("HF_TOKEN", token)
			_, err := Pull(t.Context(), o, "potion-base-8M", "")
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "accept") {
				t.Errorf("HTTP %d, token %q: %v, want it to say %q", status, token, err, want)
			}
		}
	}
}

func TestKnownNames(t *testing.T) {
	of, seen := map[string]int{}, map[string]bool{}
	var refused string
	for _, n := range KnownNames() {
		of[n.Task]++
		if seen[n.Name] || naming.CheckModel(DeriveName(n.Name)) != nil || strings.Count(n.Repository, "/") != 1 || n.Parameters == "" ||
			(n.Task == naming.TaskEmbed) != (n.Dim > 0) {
			t.Errorf("%+v", n)
		}
		seen[n.Name] = true
		if _, pinned := knownModels[n.Name]; pinned != n.Pinned {
			t.Errorf("%s: pinned is %v, the catalog says %v", n.Name, n.Pinned, pinned)
		}
		if found, ok := named(strings.ToLower(DeriveName(n.Name))); !n.Pinned && (!ok || found != n) {
			t.Errorf("%s is found as %+v by its derived name", n.Name, found)
		}
		if !n.Runs() {
			refused = n.Name
		}
	}
	if of[naming.TaskEmbed] < 50 || of[naming.TaskGenerate] < 30 {
		t.Errorf("%v models are known", of)
	}
	if refused != "" {
		if _, err := Pull(t.Context(), Options{Home: t.TempDir()}, refused, ""); !errors.Is(err, checkpoint.ErrUnsupported) {
			t.Errorf("%s, which cannot be imported: %v", refused, err)
		}
	}
}

// A repository of ONNX files keeps its chat templates of other names, and what is not asked for is left.
func TestWantedFilesOfABundle(t *testing.T) {
	var all []repoFile
	for _, name := range []string{"README.md", "additional_chat_templates/rag.jinja", "additional_chat_templates/readme.md", "chat_template.jinja", "config.json",
		"onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_int8.onnx", "other/rag.jinja", "tokenizer.json"} {
		all = append(all, repoFile{Name: name, BlobID: "x"})
	}
	chosen, imported, err := wanted(all, false)
	var got []string
	for _, f := range chosen {
		got = append(got, f.Name)
	}
	want := []string{"additional_chat_templates/rag.jinja", "chat_template.jinja", "config.json", "onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json"}
	if err != nil || imported || !slices.Equal(got, want) {
		t.Errorf("%v, imported %v, %v", err, imported, got)
	}
}
