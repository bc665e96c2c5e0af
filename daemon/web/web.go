// Package web answers a daemon's HTTP clients.
package web

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"textmill/daemon/api"
	"textmill/daemon/page"
	"textmill/daemon/session"
)

// Options are what the pages say, and to whom.
type Options struct {
	Addr         string
	TLS          TLSFiles
	Sessions     *session.Sessions // who is let in to guarded pages
	AllowedHosts []string          // names by which it may be asked, beside its own
	Connections  int               // at a time
	Metrics      http.Handler
	Profiles     bool // are given to who may see guarded pages
	State        func() State
	Models       []page.Model
	API          *api.Server
	Pages        *page.Site
	Log          *slog.Logger
}

// State is how a daemon is.
type State struct {
	NotReady []string          // why it cannot take work now
	InFlight int               // deliveries
	Unserved []string          // subjects
	Refused  map[string]string // by dataset, why this version must not write to its table

	LettersFull string // why what would become a dead letter waits
}

// Server has the pages open until it is closed.
type Server struct {
	o    Options
	url  string
	addr string
	http *http.Server
}

// Listen opens the pages.
func Listen(ctx context.Context, o Options) (*Server, error) {
	certs, err := newCertificates(o.TLS, o.Log)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	s := &Server{o: o, addr: l.Addr().String()}
	s.url = "http://" + s.addr
	if certs == nil && o.Sessions.Open() && !isLoopback(l.Addr()) {
		o.Log.WarnContext(ctx, "whoever reaches http.addr may read texts and cancel jobs, and browsers do not say which site "+
			"leads there; set http.token_file, or http.tls with client_ca_file", "addr", s.addr)
	}
	clients := newConnections(o.Connections, usualPatience)
	s.http = clients.server(newHosts(o.Addr, l.Addr(), o.AllowedHosts).only(clients.answering(s.mux())))
	s.http.ErrorLog = slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug) // what a client did wrong
	if certs != nil {
		s.url, l = "https://"+s.addr, tls.NewListener(l, certs.server())
	}
	go func() {
		if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			o.Log.ErrorContext(ctx, "http server ended", "error", err)
		}
	}()
	return s, nil
}

func isLoopback(addr net.Addr) bool {
	tcp, is := addr.(*net.TCPAddr)
	return is && tcp.IP.IsLoopback()
}

// URL is where browsers find the pages.
func (s *Server) URL() string { return s.url }

// Addr is where it listens.
func (s *Server) Addr() string { return s.addr }

// Close ends what is answered within a second.
func (s *Server) Close() error {
	s.o.Pages.End()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil { // somebody is still being answered
		return s.http.Close()
	}
	return nil
}

// Page is one that is answered.
type Page struct {
	Method  string
	Path    string
	Guarded bool       // asks for the token, where there is one
	About   string     // what it says, and its codes beside 200
	Links   page.Links // of other sites
	answer  http.Handler
}

// Pages are all there are.
func (s *Server) Pages() []Page {
	alive := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	pages := []Page{
		{get, "/healthz", false, "ok: the process lives", page.Plain, alive},
		{get, "/readyz", false, "ready: it can take and commit work; tables that it must not write to follow, and why no dead letters are taken. 503: why it cannot",
			page.Plain, http.HandlerFunc(s.ready)},
		{get, "/metrics", true, "what Prometheus scrapes", page.Plain, s.o.Metrics},
		{get, "/status", true, "what is served and held, as JSON", page.Plain, http.HandlerFunc(s.status)},
	}
	for _, r := range s.o.API.Routes() {
		pages = append(pages, Page{r.Method, r.Path, true, r.About, page.Plain, r.Answer})
	}
	for _, r := range s.o.Pages.Routes() {
		pages = append(pages, Page{r.Method, r.Path, !r.Open, r.About, r.Links, r.Answer})
	}
	if s.o.Profiles {
		pages = append(pages, profiles()...)
	}
	return pages
}

const get = http.MethodGet

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for _, p := range s.Pages() {
		handler := p.answer
		if p.Guarded {
			handler = s.guarded(handler)
		}
		mux.Handle(p.Method+" "+p.Path, linked(p.Links, handler))
	}
	return s.known(mux)
}

// known answers who asks for what there is not: a browser with a page, a client of the API in the form that it reads.
func (s *Server) known(mux *http.ServeMux) http.Handler {
	next := withoutBody(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal, pattern := mux.Handler(r)
		switch {
		case pattern != "":
			next.ServeHTTP(w, r)
		case ofAPI(r):
			refuseAPI(w, r, refusal)
		case r.Method == get && r.ContentLength == 0:
			s.o.Pages.Fail(w, r, &page.Failure{Status: http.StatusNotFound, Message: "There is no such page here."})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func ofAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/") }

// refuseAPI says in OpenAI's form what the mux says of a path that there is not, or not with that method.
func refuseAPI(w http.ResponseWriter, r *http.Request, refusal http.Handler) {
	said := unsent{header: http.Header{}}
	refusal.ServeHTTP(&said, r)
	asked := r.Method + " " + r.URL.Path
	if said.status == http.StatusMethodNotAllowed {
		allowed := said.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		api.Refuse(w, said.status, asked+" is not answered; the path takes "+allowed)
		return
	}
	api.Refuse(w, http.StatusNotFound, asked+" is not answered; GET /v1/openapi.json describes what is")
}

// unsent keeps what an answer begins with, and drops the rest.
type unsent struct {
	header http.Header
	status int
}

func (u *unsent) Header() http.Header         { return u.header }
func (u *unsent) WriteHeader(status int)      { u.status = status }
func (u *unsent) Write(p []byte) (int, error) { return len(p), nil }

// guarded lets pass who has shown the token; others are answered in the form that clients of the path read.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.o.Sessions.Knows(r):
			next.ServeHTTP(w, r)
		case ofAPI(r):
			api.Refuse(w, http.StatusUnauthorized, "a bearer token is needed")
		default:
			s.o.Pages.Stranger(w, r)
		}
	})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	state := s.o.State()
	if len(state.NotReady) > 0 {
		http.Error(w, strings.Join(state.NotReady, "\n"), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
	for _, why := range state.Refused { // other tables are served
		_, _ = fmt.Fprintln(w, "refused:", why)
	}
	if state.LettersFull != "" { // other messages are served
		_, _ = fmt.Fprintln(w, "dead letters:", state.LettersFull)
	}
}

// status is what the daemon serves and holds, as JSON.
func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		Name        string `json:"name"`
		Task        string `json:"task"`
		SHA256      string `json:"model_sha256"`
		Device      string `json:"device"`
		BatchTokens int    `json:"batch_tokens"`
		Workers     int    `json:"workers"`
	}
	state := s.o.State()
	said := struct {
		Models   []model  `json:"models"`
		InFlight int      `json:"deliveries_in_flight"`
		Unserved []string `json:"unserved_subjects"`
		NotReady []string `json:"not_ready,omitempty"`

		Refused map[string]string `json:"refused_tables,omitempty"`

		LettersFull string `json:"dead_letters_full,omitempty"`
	}{InFlight: state.InFlight, Unserved: state.Unserved, NotReady: state.NotReady, Refused: state.Refused,
		LettersFull: state.LettersFull}
	for _, m := range s.o.Models {
		said.Models = append(said.Models, model{m.Name, m.Task, m.SHA256, m.Device, m.BatchTokens, m.Workers})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(said)
}
