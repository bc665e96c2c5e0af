package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPagesAskForTheToken holds each page to what it says of itself, and a daemon to those pages.
func TestPagesAskForTheToken(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.TokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	status := func(method, path, authorization string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.daemon.web.Addr()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	for _, p := range r.daemon.web.Pages() {
		p.Path = strings.ReplaceAll(p.Path, "{model}", model)
		without := http.StatusOK
		if p.Guarded {
			without = http.StatusUnauthorized
		}
		for _, given := range []string{"", "Bearer another", "a secret"} {
			if got := status(p.Method, p.Path, given); got != without {
				t.Errorf("%s with %q: %d, want %d", p.Path, given, got, without)
			}
		}
		want := http.StatusOK
		if p.Method == http.MethodPost { // an empty request
			want = http.StatusBadRequest
		}
		if got := status(p.Method, p.Path, "Bearer a secret"); got != want {
			t.Errorf("%s with the token: %d", p.Path, got)
		}
	}
	if got := status(http.MethodGet, "/", "Bearer a secret"); got != http.StatusNotFound {
		t.Errorf("/: %d", got)
	}
}
