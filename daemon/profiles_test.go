package daemon

import (
	"strings"
	"testing"
)

// Profiles are there where they are asked for, and for who has the token.
func TestProfilesAreForWhoHasTheToken(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.TokenFile = tokenFile(t, "sesame")
	ask := func(r *running, path, header string) (status, body string) {
		t.Helper()
		return r.say("GET " + path + " HTTP/1.0\r\nHost: localhost\r\n" + header + "\r\n")
	}
	const bearer = "Authorization: Bearer sesame\r\n"
	without := start(t, cfg)
	if status, _ := ask(without, "/debug/pprof/heap", bearer); !strings.Contains(status, "404") {
		t.Errorf("without http.pprof: %s", status)
	}
	without.drain()
	cfg.HTTP.PProf = true
	r := start(t, cfg)
	for _, path := range []string{"/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace"} {
		if status, body := ask(r, path, ""); !strings.Contains(status, "401") || strings.Contains(body, "heap") {
			t.Errorf("%s without the token: %s", path, status)
		}
	}
	if status, body := ask(r, "/debug/pprof/heap", bearer); !strings.Contains(status, "200") || !strings.Contains(body, "\x1f\x8b") {
		t.Errorf("a heap profile: %s, %d bytes", status, len(body))
	}
	if status, body := ask(r, "/debug/pprof/goroutine?debug=1", bearer); !strings.Contains(status, "200") || !strings.Contains(body, "goroutine profile") {
		t.Errorf("goroutines: %s, %.100s", status, body)
	}
	for path, want := range map[string]string{"/debug/pprof/cmdline": "404", "/debug/pprof/profile?seconds=60": "400"} {
		if status, _ := ask(r, path, bearer); !strings.Contains(status, want) {
			t.Errorf("%s: %s, want %s", path, status, want)
		}
	}
}
