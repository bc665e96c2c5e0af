package session

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func request(t *testing.T, cookies ...*http.Cookie) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func begin(t *testing.T, s *Sessions, r *http.Request) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	s.Begin(w, r)
	all := w.Result().Cookies()
	if len(all) != 1 {
		t.Fatalf("%d cookies, want 1", len(all))
	}
	return all[0]
}

func TestCookieIsOutOfReach(t *testing.T) {
	s := New("secret")
	c := begin(t, s, request(t))
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.Domain != "" ||
		c.MaxAge != int(Life.Seconds()) || strings.Contains(c.Raw, "secret") {
		t.Errorf("over plain HTTP: %s", c.Raw)
	}
	r := request(t)
	r.TLS = &tls.ConnectionState{}
	if c := begin(t, s, r); !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || !c.Secure ||
		!strings.HasPrefix(c.Name, "__Host-textmill-") {
		t.Errorf("over TLS: %s", c.Raw)
	}
	w := httptest.NewRecorder()
	s.End(w, request(t))
	if c := w.Result().Cookies()[0]; c.Value != "" || c.MaxAge >= 0 {
		t.Errorf("a session that ends: %s", c.Raw)
	}
}

func TestWhoIsKnown(t *testing.T) {
	s := New("secret")
	c := begin(t, s, request(t))
	first, second, _ := strings.Cut(c.Value, ".")
	over := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(-time.Second).Unix()))
	longer := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(9*Life).Unix()))
	named := func(value string) *http.Cookie { return &http.Cookie{Name: c.Name, Value: value} }
	for _, tc := range []struct {
		name   string
		cookie *http.Cookie
		want   bool
	}{
		{"its own session", c, true},
		{"the session again after a restart, or at a daemon with the same token", begin(t, New("secret"), request(t)), true},
		{"a session of another token", named(begin(t, New("another"), request(t)).Value), false},
		{"one that is over", named(encoded(over) + "." + encoded(mac(s.signs, "session", string(over)))), false},
		{"one that was made to last", named(encoded(longer) + "." + second), false},
		{"one that is not signed", named(first + "."), false},
		{"one without a point", named(first), false},
		{"one that is no base64", named("%." + second), false},
		{"one that is too short", named("." + encoded(mac(s.signs, "session", ""))), false},
		{"the token itself", named("secret"), false},
		{"a form's token", named(first + "." + s.Form(request(t, c))), false},
	} {
		if got := s.Knows(request(t, tc.cookie)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	for given, want := range map[string]bool{"Bearer secret": true, "Bearer another": false, "Bearer ": false, "secret": false,
		"Basic secret": false, "": false} {
		r := request(t)
		r.Header.Set("Authorization", given)
		if got := s.Knows(r); got != want {
			t.Errorf("%q: %v", given, got)
		}
	}
	r := request(t, c) // over TLS the other cookie counts
	r.TLS = &tls.ConnectionState{}
	if s.Knows(r) {
		t.Error("a cookie that plain HTTP could have set is taken over TLS")
	}
	if open := New(""); !open.Open() || !open.Knows(request(t)) {
		t.Error("without a token somebody is not let in")
	}
}

func TestFormsAreThoseOfTheSession(t *testing.T) {
	s := New("secret")
	mine, another := begin(t, s, request(t)), begin(t, s, request(t))
	fits := func(s *Sessions, form string, cookies ...*http.Cookie) bool {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/",
			strings.NewReader(url.Values{Field: {form}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		return s.Fits(r)
	}
	form, nobodys := s.Form(request(t, mine)), s.Form(request(t))
	if !fits(s, form, mine) || !fits(New("secret"), form, mine) || !fits(s, nobodys) {
		t.Error("a form of the same browser is refused")
	}
	if fits(s, form, another) || fits(s, form) || fits(s, "", mine) || fits(s, nobodys, mine) || fits(s, "") {
		t.Error("a form of somebody else is taken")
	}
	if fits(New("secret"), nobodys) {
		t.Error("what a page says before a login goes by the token, and would let it be guessed at leisure")
	}
	if base64.RawURLEncoding.DecodedLen(len(form)) != 32 {
		t.Errorf("%q is no MAC", form)
	}
	open := New("")
	if !fits(open, open.Form(request(t))) || fits(open, "") || fits(open, New("").Form(request(t))) {
		t.Error("without a token forms are not told apart")
	}
}
