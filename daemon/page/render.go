package page

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
)

//go:embed templates
var templates embed.FS

// The pages that every site has.
const (
	loginTemplate   = "login.html"
	failureTemplate = "failure.html"
)

// frame is what is around a page's own data.
type frame struct {
	View
	Version string
	Nav     []entry
	Current string
	Guarded bool   // there is a session to end
	CSRF    string // for forms other than "act"
	Module  string
	Style   string
	Events  string // where the page's regions are told from; "" = it has none
}

// entry is one of the navigation.
type entry struct{ Name, Path string }

func (s *Site) frame(r *http.Request, v View) frame {
	f := frame{View: v, Version: s.o.Version, CSRF: s.o.Sessions.Form(r), Guarded: !s.o.Sessions.Open()}
	for _, p := range s.pages {
		if p.nav != "" {
			f.Nav = append(f.Nav, entry{p.nav, strings.TrimSuffix(p.path, "{$}")})
		}
	}
	return f
}

// secure says what browsers may do with an answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, f frame) {
	var out bytes.Buffer // so that what fails is not half a page
	if err := s.looks.templates[name].ExecuteTemplate(&out, "layout.html", f); err != nil {
		s.o.Log.ErrorContext(r.Context(), "page not made", "page", name, "error", err)
		http.Error(w, "the page cannot be made; the daemon's log says why", http.StatusInternalServerError)
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

// stream sends a page while it is made.
func (s *Site) stream(w http.ResponseWriter, r *http.Request, name string, f frame) {
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy
	out := newLines(w)
	f.Waits(out.flush)
	err := s.looks.templates[name].ExecuteTemplate(out, "layout.html", f)
	if out.flush(); err != nil && r.Context().Err() == nil {
		s.o.Log.ErrorContext(r.Context(), "page not made to its end", "page", name, "error", err)
	}
}

// Fail answers with why something is not seen: as a page to a browser, as a line to programs.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		s.o.Log.WarnContext(r.Context(), "page not answered", "path", r.URL.Path, "error", err)
		f = &Failure{http.StatusInternalServerError, err.Error()}
	}
	if f.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if !readsHTML(r) {
		secure(w.Header())
		http.Error(w, f.Message, f.Status)
		return
	}
	s.render(w, r, f.Status, failureTemplate, s.frame(r, View{Title: http.StatusText(f.Status), Data: f}))
}

// readsHTML says that a browser asks for a page.
func readsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// parse makes the templates of one file ready, in the layout.
func (l *looks) parse(a *assets, name string) {
	if l.templates[name] == nil {
		l.templates[name] = template.Must(template.New(name).Funcs(functions).Funcs(template.FuncMap{"asset": a.path}).
			ParseFS(templates, "templates/layout.html", "templates/parts.html", "templates/"+name))
	}
}

// regions makes the live regions of a page, by their names.
func (l *looks) regions(name string, v View) (map[string]string, error) {
	all := map[string]string{}
	t := l.templates[name]
	for _, region := range t.Templates() {
		if !strings.HasPrefix(region.Name(), "live-") || strings.Contains(region.Name(), "$") { // html/template derives such
			continue
		}
		var out strings.Builder
		if err := t.ExecuteTemplate(&out, region.Name(), v.Data); err != nil {
			return nil, err
		}
		all[region.Name()] = strings.TrimSpace(out.String())
	}
	return all, nil
}
