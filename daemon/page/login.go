package page

import (
	"net/http"
	"net/url"
	"strings"
)

// asked is what the form of the login says.
type asked struct {
	Next  string
	Wrong bool // another token was given
	Open  bool // nobody need show any
	From  bool // a page of another site led here, for which browsers leave cookies out
}

// Stranger answers who has not shown the token: a browser with the form that takes it, others with a line.
func (s *Site) Stranger(w http.ResponseWriter, r *http.Request) {
	if !readsHTML(r) {
		http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		return
	}
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	s.ask(w, r, http.StatusUnauthorized, asked{Next: next, From: r.Header.Get("Sec-Fetch-Site") == "cross-site"})
}

func (s *Site) ask(w http.ResponseWriter, r *http.Request, status int, a asked) {
	f := s.frame(r, View{Title: "Log in", Data: a})
	f.Guarded, f.Nav = false, nil
	s.render(w, r, status, loginTemplate, f)
}

func (s *Site) loginForm(w http.ResponseWriter, r *http.Request) {
	s.ask(w, r, http.StatusOK, asked{Next: "/", Open: s.o.Sessions.Open()})
}

func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	if err := s.readForm(w, r); err != nil {
		s.Fail(w, r, err)
		return
	}
	next := local(r.PostFormValue("next"))
	if !s.o.Sessions.Accepts(strings.TrimSpace(r.PostFormValue("token"))) {
		s.ask(w, r, http.StatusUnauthorized, asked{Next: next, Wrong: true})
		return
	}
	if !s.o.Sessions.Open() {
		s.o.Sessions.Begin(w, r)
	}
	//nolint:gosec // local lets no other host pass
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.readForm(w, r); err != nil {
		s.Fail(w, r, err)
		return
	}
	s.o.Sessions.End(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local is an address of this daemon, or that of its first page where somebody was to be led elsewhere.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return "/"
	}
	return u.RequestURI()
}
