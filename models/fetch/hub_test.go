package fetch

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"textmill/ground/places"
	"textmill/models"
)

// A fakeHub serves one repository the way that the hub does.
type fakeHub struct {
	sync.Mutex
	files  map[string][]byte
	large  string // kept as a large file
	lie    string // a file whose content is not what was promised
	cut    int    // a first request of the large file breaks off after so many bytes
	ranges []string
	tokens []string
}

const commit = "0123456789abcdef0123456789abcdef01234567"

func (h *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.Lock()
	defer h.Unlock()
	h.tokens = append(h.tokens, r.Header.Get("Authorization"))
	switch {
	case r.URL.Path == "/api/models/acme/tiny-encoder/revision/main":
		h.list(w)
	case strings.HasPrefix(r.URL.Path, "/acme/tiny-encoder/resolve/"+commit+"/"):
		name := strings.TrimPrefix(r.URL.Path, "/acme/tiny-encoder/resolve/"+commit+"/")
		data := bytes.Clone(h.files[name])
		if name == h.lie {
			data[0] ^= 1
		}
		if name == h.large {
			h.ranges = append(h.ranges, r.Header.Get("Range"))
			if h.cut > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:h.cut])
				h.cut = 0
				return
			}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	default:
		http.NotFound(w, r)
	}
}

func (h *fakeHub) list(w http.ResponseWriter) {
	var siblings []map[string]any
	for name, data := range h.files {
		f := map[string]any{"rfilename": name, "size": len(data), "blobId": fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))}
		if name == h.large {
			f["lfs"] = map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256(data)), "size": len(data)}
		}
		siblings = append(siblings, f)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
}

// onnx is the smallest graph that a bundle can have: it gives the mask back as vectors.
func onnx() []byte {
	field := func(n protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), bytes.Join(parts, nil))
	}
	number := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
	}
	value := func(n protowire.Number, name string, typ uint64, rank int) []byte {
		return field(n, field(1, []byte(name)), field(2, field(1, number(1, typ), field(2, bytes.Repeat(field(1, field(2, []byte("n"))), rank)))))
	}
	return field(7, field(1, field(4, []byte("Identity"))), value(11, "input_ids", 7, 2), value(11, "attention_mask", 7, 2), value(12, "out", 1, 3))
}

func startHub(t *testing.T) (*fakeHub, Options) {
	h := &fakeHub{large: "onnx/model.onnx", files: map[string][]byte{
		"config.json":           []byte(`{"hidden_size":4,"max_position_embeddings":8,"pad_token_id":0}`),
		"tokenizer.json":        []byte(`{"model":{}}`),
		"tokenizer_config.json": []byte(`{}`),
		"onnx/model.onnx":       onnx(),
		"onnx/model_int8.onnx":  []byte("not wanted"),
		"model.safetensors":     []byte("not wanted"),
		"README.md":             []byte("not wanted"),
	}}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL+"/")
	t.Setenv("HF_TOKEN", "")
	t.Setenv("HF_HUB_OFFLINE", "")
	return h, Options{Home: t.TempDir()}
}

func TestAHubThatCannotBeReachedIsToldWithAnotherWay(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_HUB_OFFLINE", "")
	_, err := Pull(t.Context(), Options{Home: t.TempDir()}, "acme/tiny-encoder", "")
	if err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT") || !strings.Contains(err.Error(), "textmill models import") {
		t.Errorf("it says %v", err)
	}
}

func TestPullsARepository(t *testing.T) {
	h, o := startHub(t)
	t.Setenv("HF_TOKEN", "secret")
	got, err := Pull(t.Context(), o, "acme/tiny-encoder", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "tiny-encoder" || got.Version != commit || !got.Fresh {
		t.Errorf("%+v", got)
	}
	spec, err := models.OpenBundle(places.Model(o.Home, "tiny-encoder"))
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Files) != 4 || !strings.Contains(spec.Source, commit) || spec.Verify(t.Context()) != nil {
		t.Errorf("%+v", spec)
	}
	for _, token := range h.tokens {
		if token != "Bearer secret" {
			t.Errorf("a request carried %q", token)
		}
	}
	left, err := filepath.Glob(filepath.Join(places.Downloads(o.Home), "[^.]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestResumesABrokenDownload(t *testing.T) {
	h, o := startHub(t)
	h.cut = 20
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", "tiny"); err == nil {
		t.Fatal("a broken download succeeded")
	}
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", "tiny"); err != nil {
		t.Fatal(err)
	}
	if want := "bytes=20-"; h.ranges[len(h.ranges)-1] != want {
		t.Errorf("ranges %q, want the last to be %q", h.ranges, want)
	}
}

func TestRefusesWhatIsNotWhatWasPromised(t *testing.T) {
	for _, name := range []string{"onnx/model.onnx", "config.json"} {
		h, o := startHub(t)
		h.lie = name
		_, err := Pull(t.Context(), o, "acme/tiny-encoder", "tiny")
		if !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want ErrHash naming it", name, err)
		}
		if _, err := os.Stat(places.Model(o.Home, "tiny")); !os.IsNotExist(err) {
			t.Errorf("%s: something was installed: %v", name, err)
		}
		h.Lock()
		h.lie = ""
		h.Unlock()
		if _, err := Pull(t.Context(), o, "acme/tiny-encoder", "tiny"); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

func TestOffline(t *testing.T) {
	_, o := startHub(t)
	t.Setenv("HF_HUB_OFFLINE", "1")
	if _, err := Pull(t.Context(), o, "acme/tiny-encoder", ""); !errors.Is(err, errUnavailable) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("%v", err)
	}
}

func TestPullNames(t *testing.T) {
	_, o := startHub(t)
	for model, name := range map[string]string{"acme/tiny-encoder": "../x", "nowhere": "", "a/b/c": ""} {
		if _, err := Pull(t.Context(), o, model, name); err == nil {
			t.Errorf("pull %q as %q was accepted", model, name)
		}
	}
	if _, err := Pull(t.Context(), o, "acme/absent", ""); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("absent repository: %v", err)
	}
	for model, want := range map[string]string{"BAAI/bge-small-en-v1.5": "bge-small-en-v1-5", "x/é@main": "-", "all-MiniLM-L6-v2": "all-MiniLM-L6-v2"} {
		if got := DeriveName(model); got != want {
			t.Errorf("name of %s is %q, want %q", model, got, want)
		}
	}
}

func TestCancelledPullEndsAtOnce(t *testing.T) {
	_, o := startHub(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Pull(ctx, o, "acme/tiny-encoder", ""); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "HF_ENDPOINT") {
		t.Errorf("%v, want context.Canceled, and no word of the hub", err)
	}
}
