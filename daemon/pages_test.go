package daemon

import (
	"net/http"
	"strings"
	"testing"
)

// TestPagesAskForTheToken holds each page to what it says of itself, and a daemon to those pages.
func TestPagesAskForTheToken(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.TokenFile = tokenFile(t, "a secret")
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
		path := strings.NewReplacer("{model}", model, "{dataset}", "none", "{$}", "", "{name}", "none", "{job}", "none", "{id}", "none").Replace(p.Path)
		form := p.Method == http.MethodPost && !strings.HasPrefix(path, "/v1/")
		want := http.StatusOK
		switch {
		case form: // without what shows that it comes from a page of ours
			want = http.StatusForbidden
		case strings.Contains(path, "/{file}"), strings.Contains(path, "/{batch}"): // which there is none
			want = http.StatusNotFound
		case p.Method == http.MethodPost: // an empty request
			want = http.StatusBadRequest
		case strings.HasSuffix(path, "/none"), path == "/events/trace": // which names no model here
			want = http.StatusNotFound
		}
		without := want
		if p.Guarded {
			without = http.StatusUnauthorized
		}
		for _, given := range []string{"", "Bearer another", "a secret"} {
			if got := status(p.Method, path, given); got != without {
				t.Errorf("%s with %q: %d, want %d", path, given, got, without)
			}
		}
		if got := status(p.Method, path, "Bearer a secret"); got != want {
			t.Errorf("%s with the token: %d, want %d", path, got, want)
		}
		if open := path == "/healthz" || path == "/readyz" || path == "/login" || path == "/logout" ||
			strings.HasPrefix(path, "/assets/"); p.Guarded == open {
			t.Errorf("%s: guarded is %v", path, p.Guarded)
		}
	}
}
