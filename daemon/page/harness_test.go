package page

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"textmill/daemon/catalog"
	"textmill/daemon/session"
)

// browser asks a site, as browsers do: for HTML, with the cookies that it was given, and it follows no redirect.
type browser struct {
	t      *testing.T
	site   *Site
	url    string
	client *http.Client
}

type answer struct {
	status int
	header http.Header
	body   string
}

// world is what a site is told of, and what it asked to be done.
type world struct {
	now     Now
	jobs    []Job
	letters []Letter
	payload []byte
	refuses error
	done    []string
}

func (w *world) Now() Now { return w.now }

func (w *world) Jobs(context.Context) ([]Job, error) { return w.jobs, nil }

func (w *world) Job(_ context.Context, name string) (Job, error) {
	for _, j := range w.jobs {
		if j.Name == name {
			return j, nil
		}
	}
	return Job{}, &Failure{http.StatusNotFound, "There is no such job."}
}

func (w *world) Cancel(_ context.Context, name string) error {
	w.done = append(w.done, "cancel "+name)
	return w.refuses
}

func (w *world) Letters(context.Context) ([]Letter, uint64, error) {
	return w.letters, uint64(len(w.letters)), nil
}

func (w *world) Letter(_ context.Context, id string) (Letter, []byte, error) {
	for _, l := range w.letters {
		if l.ID == id {
			return l, w.payload, nil
		}
	}
	return Letter{}, nil, &Failure{http.StatusNotFound, "There is no such letter."}
}

func (w *world) Settle(_ context.Context, id string, how Settlement) error {
	w.done = append(w.done, fmt.Sprintf("settle %s %v %q", id, how.Drop, how.AsNewJob))
	return w.refuses
}

// open serves pages until the test ends; without sessions to those that need no token.
func open(t *testing.T, o Options) *browser {
	t.Helper()
	if o.Sessions == nil {
		o.Sessions = session.New("")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Work == nil {
		o.Work, o.Jobs, o.Letters = &world{}, &world{}, &world{}
	}
	if o.Watchers == 0 {
		o.Watchers = 4
	}
	if o.Tables == nil {
		o.Tables = catalog.New(catalog.Options{URI: t.TempDir()})
	}
	site := New(o)
	mux := http.NewServeMux()
	for _, r := range site.Routes() {
		mux.HandleFunc(r.Method+" "+r.Path, r.Answer)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		site.End()
		server.Close()
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, site: site, url: server.URL, client: &http.Client{Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) get(path string) answer { return b.ask(http.MethodGet, path, nil) }

// post sends a form; with csrf, as a page of ours has it.
func (b *browser) post(path, csrf string, form url.Values) answer {
	if form == nil {
		form = url.Values{}
	}
	if csrf != "" {
		form.Set(session.Field, csrf)
	}
	return b.ask(http.MethodPost, path, form)
}

func (b *browser) ask(method, path string, form url.Values) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Error(err)
		return answer{}
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Error(err)
		return answer{}
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Error(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is what a page's forms say.
func (a answer) csrf() string {
	if m := csrfField.FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}
