// Package page shows people how a daemon is, and what it does.
//
// A page is added by a template and a function. The template lies in templates/NAME.html and defines "body", which
// gets a frame: what the function gave as its .Data. The function says what is seen, and is named in a line of all().
// What the template defines under names that begin with "live-" are regions, which get the .Data alone: with
//
//	<div data-live="live-jobs">{{template "live-jobs" .Data}}</div>
//
// in the body and an `every` in the line they are made anew so often while somebody looks, once for all who look at
// the same address, and sent where they changed. So nothing in a region may depend on who looks. What people do is a
// function in a line of actions(): a button with form="act" and its path as formaction sends it, with the token that
// shows where it comes from. A page's own module lies in assets/ and is named in the line; other modules are imported
// as "./NAME.js".
//
// Texts reach pages through html/template alone, so that none is ever markup; nothing is inline, and nothing comes
// from elsewhere, as the content security policy says.
package page

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"textmill/daemon/catalog"
	"textmill/daemon/session"
	"textmill/daemon/tracing"
)

// Options are what the pages say, and to whom.
type Options struct {
	Version  string
	Sessions *session.Sessions
	Watchers int // how many streams of events there are at a time
	Models   []Model
	Tables   *catalog.Catalog
	Work     Work
	Jobs     Jobs
	Letters  Letters
	Log      *slog.Logger
}

// Site has the pages.
type Site struct {
	o        Options
	looks    *looks
	failures *failures
	pages    []page
	assets   *assets
	traces   *tracing.Traces
	watching chan struct{} // has a value for each stream of events
	closing  context.Context
	end      context.CancelFunc
}

// page is one that is seen.
type page struct {
	path     string // as in patterns of http.ServeMux
	nav      string // its entry of the navigation; "" = none
	under    string // the entry that it belongs to, where it has none
	template string // its file
	module   string // its own, "" = none
	style    string // its own, "" = none
	every    time.Duration
	patience time.Duration // beyond that of every page; for one that takes long to make
	about    string        // for the reference
	show     func(*http.Request) (View, error)
}

// action is something that people do; it leads to a page.
type action struct {
	path  string
	about string
	do    func(*http.Request) (next string, err error)
}

// View is what is seen of a page.
type View struct {
	Title string
	Data  any
	// Done, when set, is called when the page was made, and such a page is sent while it is made: Waits is given what
	// sends as much of it as there is, to be called before something is waited for.
	Done  func()
	Waits func(flush func())
}

// all are the pages in the order of the navigation.
func (s *Site) all() []page {
	return []page{
		{path: "/{$}", nav: "Overview", template: "overview.html", every: time.Second, show: s.overview,
			about: "throughput, what waits, time by stage, devices with memory, models, the last commits, warnings and errors"},
		{path: "/jobs", nav: "Jobs", template: "jobs.html", every: time.Second, show: s.jobs,
			about: "the latest jobs; with state and q in the query those of a state, and whose name, dataset or model has q"},
		{path: "/jobs/{job}", under: "Jobs", template: "job.html", every: time.Second, show: s.job,
			about: "one of them: progress, errors by class with an example, dead letters. 404: there is none of that name"},
		{path: "/dead", under: "Jobs", template: "letters.html", every: 2 * time.Second, show: s.letters,
			about: "the newest dead letters"},
		{path: "/dead/{id}", under: "Jobs", template: "letter.html", show: s.letter,
			about: "one of them with its payload. 404: there is none with that id"},
		{path: "/tables", nav: "Tables", template: "tables.html", style: "tables.css", every: 3 * time.Second, show: s.tables,
			about: "the tables of export.uri: rows, error rows, files, bytes, versions, models"},
		{path: "/tables/{dataset}", under: "Tables", template: "table.html", module: "copy.js", style: "tables.css",
			every: 3 * time.Second, patience: tableTime, show: s.table, about: "one of them, with rows, commits, errors by class and the lines that " +
				"read and load it; with q in the query the rows that are nearest to what that says, k of them, of the model `model`, " +
				"where each `where` (NAME=VALUE) is met. 404: no such table. 503: other questions are being answered"},
		{path: "/trace", nav: "Trace", template: "trace.html", module: "trace.js", style: "trace.css", patience: tracing.Time,
			show: s.trace, about: "a form; with model and text in the query, and params by their names or as params={…}, what " +
				"the model does with the text, while it does it; beside it what it does with other. " + traceRefusals},
		{path: "/models", nav: "Models", template: "models.html", style: "tables.css", every: 3 * time.Second,
			show: s.models, about: "the models that are served"},
		{path: "/models/{model}", under: "Models", template: "model.html", style: "tables.css", every: 3 * time.Second,
			show: s.model, about: "one of them: what its files say, what was measured of it here, its files' hashes, the tables with its rows. " +
				"404: there is none of that name"},
	}
}

func (s *Site) actions() []action {
	return []action{
		{"/jobs/{job}/cancel", "cancels a job. 404: there is none of that name. 409: it is over, or everybody's", s.cancelJob},
		{"/dead/{id}", "retries a dead letter; with how=drop it is dropped, with how=rename and job published under that " +
			"job, where another payload's rows have its name. 404: there is none. 409: say which of both", s.settleLetter},
	}
}

// Failure is why a page is not seen, in words for whoever asked.
type Failure struct {
	Status  int
	Message string
}

func (f *Failure) Error() string { return f.Message }

// New makes the pages; what is wrong with a template or an asset is wrong with the program.
func New(o Options) *Site {
	s := &Site{o: o, traces: newTraces(o.Models), watching: make(chan struct{}, max(o.Watchers, 1))}
	s.closing, s.end = context.WithCancel(context.Background())
	s.assets, s.looks, s.failures = newAssets(), newLooks(s.closing), newFailures(s.closing, o)
	s.pages = s.all()
	for i := range s.pages {
		s.looks.parse(s.assets, s.pages[i].template)
	}
	for _, own := range []string{loginTemplate, failureTemplate} {
		s.looks.parse(s.assets, own)
	}
	return s
}

// End ends all streams, which else would go on; the rest of the pages is answered still.
func (s *Site) End() {
	s.end()
	s.looks.wait()
	s.failures.wait()
}

// A Route is a path that is answered.
type Route struct {
	Method, Path string
	Open         bool // to those who have not shown the token
	About        string
	Links        Links
	Answer       http.HandlerFunc
}

// Links says how far links of other sites' pages may lead whoever follows them. What they lead to changes nothing, and
// has the machine compute nothing before it is asked from a page of this daemon.
type Links int

// Never: not at all, since it holds something while it is answered. Plain: to the bare address. Any: with any query.
const (
	Never Links = iota
	Plain
	Any
)

// Routes are all there are.
func (s *Site) Routes() []Route {
	var all []Route
	for _, p := range s.pages {
		all = append(all, Route{http.MethodGet, p.path, false, p.about, Any,
			func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, p) }})
	}
	for _, p := range s.pages {
		if p.every > 0 {
			all = append(all, Route{http.MethodGet, eventsPath(p.path), false,
				"the regions of that page as they change, as server-sent events", Never,
				func(w http.ResponseWriter, r *http.Request) { s.follow(w, r, p) }})
		}
	}
	for _, a := range s.actions() {
		all = append(all, Route{http.MethodPost, a.path, false, a.about, Never,
			func(w http.ResponseWriter, r *http.Request) { s.act(w, r, a) }})
	}
	return append(all,
		Route{http.MethodGet, "/events/trace", false, "the same as " + traceEventsAre + " " + traceRefusals,
			Never, s.traceEvents},
		Route{http.MethodGet, "/login", true, "asks for the token", Plain, s.loginForm},
		Route{http.MethodPost, "/login", true, "takes it, and leads on with a cookie. 401: another token", Never, s.login},
		Route{http.MethodPost, "/logout", true, "ends the session of a browser", Never, s.logout},
		Route{http.MethodGet, "/assets/{name}", true, "style, modules and pictures, by a hash of their content", Plain,
			s.assets.serve},
	)
}

// FromElsewhere tells that a browser says that the page of another host or port asks this, or led here. Such a link
// must not have this machine compute: whoever followed it is asked first.
func FromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// answer shows a page.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, p page) {
	if p.patience > 0 {
		extend(w, p.patience)
	}
	v, err := p.show(r)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	f := s.frame(r, v)
	f.Current, f.Module, f.Style = cmp.Or(p.nav, p.under), p.module, p.style
	if p.every > 0 {
		f.Events = eventsOf(r)
	}
	if v.Done != nil {
		defer v.Done()
		s.stream(w, r, p.template, f)
		return
	}
	s.render(w, r, http.StatusOK, p.template, f)
}

// act does what people do, and leads them to a page.
func (s *Site) act(w http.ResponseWriter, r *http.Request, a action) {
	if err := s.readForm(w, r); err != nil {
		s.Fail(w, r, err)
		return
	}
	next, err := a.do(r)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// formBytes bounds what people send.
const formBytes = 64 << 10

// readForm reads the form that a request brings, if it comes from a page of ours.
func (s *Site) readForm(w http.ResponseWriter, r *http.Request) error {
	secure(w.Header())
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if err := r.ParseForm(); err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			return &Failure{http.StatusRequestEntityTooLarge, "The form is too long."}
		}
		return &Failure{http.StatusBadRequest, "The form did not come whole."}
	}
	if !s.o.Sessions.Fits(r) {
		return &Failure{http.StatusForbidden, "This form is not one of this daemon's, or older than it or your session. Load its page again."}
	}
	return nil
}

// writing is how long whoever is answered has to read the answer.
const writing = 30 * time.Second

// extend gives an answer so much more time.
func extend(w http.ResponseWriter, by time.Duration) {
	until, conn := time.Now().Add(by+writing), http.NewResponseController(w)
	_, _ = conn.SetReadDeadline(until), conn.SetWriteDeadline(until)
}
