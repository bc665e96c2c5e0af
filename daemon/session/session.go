// Package session knows the browsers and programs that have shown a daemon's token.
package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Life is how long a browser need not show the token again.
const Life = 7 * 24 * time.Hour

// Field is the field of a form that holds what Form gives.
const Field = "csrf"

// Sessions are those of one token. They are not kept anywhere: a cookie is signed with a key that is made from the
// token, so it is known after a restart and by every daemon with the same token, and no longer once there is another.
type Sessions struct {
	token [sha256.Size]byte // its hash, so that not even its length shows in the time that a guess takes
	open  bool              // nobody need show anything
	signs []byte            // the key of cookies and of the forms of those who have one
	forms []byte            // the key of everybody else's: this process's own, so that it tells nothing of the token
	name  string            // of the cookie; cookies do not tell ports apart, so it goes by the token
}

// New makes those of a token; "" lets everybody in.
func New(token string) *Sessions {
	s := &Sessions{token: sha256.Sum256([]byte(token)), open: token == "", forms: make([]byte, sha256.Size)}
	_, _ = rand.Read(s.forms) // it never fails
	s.signs = mac([]byte(token), "textmill sessions")
	s.name = "textmill-" + hex.EncodeToString(mac(s.signs, "name")[:4])
	return s
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// Open says that nobody need show a token.
func (s *Sessions) Open() bool { return s.open }

// Accepts says whether somebody who shows this is let in.
func (s *Sessions) Accepts(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return s.open || subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}

// Knows says whether a request comes from somebody who has shown the token: with it as a bearer token, or with the
// cookie of a session.
func (s *Sessions) Knows(r *http.Request) bool {
	if s.open {
		return true
	}
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.Accepts(given)
	}
	return s.session(r) != ""
}

// Begin has the browser that is answered known until Life is over.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request) {
	what := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(Life).Unix()))
	what = append(what, rand.Text()...) // so that no two sessions have one cookie, nor one form's token
	value := encoded(what) + "." + encoded(mac(s.signs, "session", string(what)))
	s.setCookie(w, r, value, int(Life.Seconds()))
}

// End has the browser that is answered forget.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) { s.setCookie(w, r, "", -1) }

func (s *Sessions) setCookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	//nolint:gosec // without TLS a Secure cookie would never come back
	http.SetCookie(w, &http.Cookie{Name: s.cookie(r), Value: value, Path: "/", MaxAge: age, HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// cookie is the name of a request's cookie: over TLS one that browsers take from nobody but this very host.
func (s *Sessions) cookie(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-" + s.name
	}
	return s.name
}

// session is a request's cookie if it is one of ours and not over, else "".
func (s *Sessions) session(r *http.Request) string {
	if s.open {
		return ""
	}
	c, err := r.Cookie(s.cookie(r))
	if err != nil {
		return ""
	}
	first, second, _ := strings.Cut(c.Value, ".")
	what, err := base64.RawURLEncoding.DecodeString(first)
	signed, err2 := base64.RawURLEncoding.DecodeString(second)
	if err != nil || err2 != nil || len(what) < 8 || !hmac.Equal(signed, mac(s.signs, "session", string(what))) {
		return ""
	}
	if time.Now().Unix() >= int64(binary.BigEndian.Uint64(what)) {
		return ""
	}
	return c.Value
}

// Form is what the forms of a page say that answers a request, so that no page of another site can have them sent.
func (s *Sessions) Form(r *http.Request) string {
	if session := s.session(r); session != "" {
		return encoded(mac(s.signs, "form", session))
	}
	return encoded(mac(s.forms, "form"))
}

// Fits says whether a form comes from a page that answered the same browser. It reads the form.
func (s *Sessions) Fits(r *http.Request) bool {
	return hmac.Equal([]byte(r.PostFormValue(Field)), []byte(s.Form(r)))
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
