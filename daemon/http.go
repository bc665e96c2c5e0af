package daemon

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// page is one that a daemon answers GET with.
type page struct {
	path    string
	guarded bool   // asks for the token, where one is configured
	about   string // what it says, and its codes beside 200
	answer  http.Handler
}

func (d *Daemon) pages() []page {
	alive := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	return []page{
		{"/healthz", false, "ok: the process lives", alive},
		{"/readyz", false, "ready: it can take and commit work; tables that it must not write to follow, and why no dead letters are taken. 503: why it cannot",
			http.HandlerFunc(d.readyz)},
		{"/metrics", true, "what Prometheus scrapes", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{})},
		{"/status", true, "what is served and held, as JSON", http.HandlerFunc(d.statusPage)},
		{"/trace", true, "a form; with model, text and params in the query what the model does with the text, while it does it. " +
			"404: no such model. 413: more than 8 KiB. 503: two texts are traced already", http.HandlerFunc(d.trace)},
	}
}

// listen opens the daemon's pages.
func (d *Daemon) listen(ctx context.Context, addr, token string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, p := range d.pages() {
		handler := p.answer
		if p.guarded {
			handler = guarded(token, handler)
		}
		mux.Handle("GET "+p.path, handler)
	}
	clients := newConnections(d.shares.connections)
	server := clients.server(newHosts(addr, l.Addr(), d.cfg.HTTP.AllowedHosts).only(withoutBody(clients.answering(mux))))
	d.httpAddr = l.Addr().String()
	d.onClose("http", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil { // somebody is still being answered
			return server.Close()
		}
		return nil
	})
	go func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("http server ended", "error", err.Error())
		}
	}()
	return nil
}

// What one client may take: a request comes and is answered within so long, and a connection rests no longer than that.
const (
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second
	answerTime  = 30 * time.Second // a trace sets its own
	idleTime    = 30 * time.Second
	headerBytes = 64 << 10 // the text of a trace stands in the URL
)

// guarded asks for a bearer token when one is configured.
func guarded(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token)) // so that not even its length shows in the time that a guess takes
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given))
		if !ok || subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (d *Daemon) readyz(w http.ResponseWriter, _ *http.Request) {
	if reasons := d.notReady(); len(reasons) > 0 {
		http.Error(w, strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
	for _, why := range d.lanes.refused.reasons() { // other tables are served
		_, _ = fmt.Fprintln(w, "refused:", why)
	}
	if why := d.letters.trouble(); why != "" { // other messages are served
		_, _ = fmt.Fprintln(w, "dead letters:", why)
	}
}

// statusPage is what the daemon serves and holds, as JSON.
func (d *Daemon) statusPage(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		Name        string `json:"name"`
		Task        string `json:"task"`
		SHA256      string `json:"model_sha256"`
		Device      string `json:"device"`
		BatchTokens int    `json:"batch_tokens"`
		Workers     int    `json:"workers"`
	}
	page := struct {
		Models   []model  `json:"models"`
		InFlight int      `json:"deliveries_in_flight"`
		Unserved []string `json:"unserved_subjects"`
		NotReady []string `json:"not_ready,omitempty"`

		Refused map[string]string `json:"refused_tables,omitempty"` // by dataset, why this version must not write to it

		LettersFull string `json:"dead_letters_full,omitempty"` // why what would become a dead letter waits
	}{InFlight: d.ledger.size(), Unserved: d.unservedSubjects(), NotReady: d.notReady(), Refused: d.lanes.refused.reasons(), LettersFull: d.letters.trouble()}
	for _, s := range d.servers {
		page.Models = append(page.Models, model{s.spec.Name, s.spec.Task, s.spec.SHA256, s.device, s.batch, s.workers})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
}
