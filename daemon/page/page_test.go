package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"textmill/daemon/lately"
	"textmill/daemon/session"
)

// hostile is what somebody might call a model, or write into a text, for it to be run in a browser.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}</title></textarea>` + "\x00\u2028"

func harmless(t *testing.T, what, body string) {
	t.Helper()
	for _, markup := range []string{"<script>", "<img src=x", "onerror=alert(1)>", "</title></textarea>"} {
		if strings.Contains(body, markup) {
			t.Errorf("%s: %q stands in\n%s", what, markup, body)
		}
	}
}

// everything is a world of which every text is hostile.
func everything() *world {
	at := time.Now()
	l := Letter{ID: "abc", Task: hostile, Model: hostile, Job: hostile, Subject: hostile, Class: hostile, Reason: hostile, Time: at}
	conflict := l
	conflict.ID, conflict.Conflict = "def", true
	sums := lately.Sums{Models: map[string]lately.Model{hostile: {Waiting: 3, Oldest: 7}}, Stages: []lately.Stage{{Name: hostile, Count: 1}}}
	return &world{
		now: Now{Problems: []string{hostile}, Since: at, Samples: []lately.Sample{{At: at, Sums: sums}, {At: at.Add(time.Second), Sums: sums}},
			Commits:  []lately.Commit{{At: at, Dataset: hostile, Rows: 3, Errored: 1}},
			Troubles: []lately.Trouble{{At: at, Serious: true, Message: hostile, Why: hostile, Job: hostile, Details: hostile, Times: 2}},
			Devices:  []Device{{Name: hostile, About: hostile}}},
		jobs: []Job{{Name: hostile, State: hostile, Task: hostile, Model: hostile, Dataset: hostile, Rows: 5, Errors: 2, Dead: 1, Updated: at,
			Classes: []lately.Class{{Name: hostile, Rows: 2, Record: hostile, Reason: hostile}}}},
		letters: []Letter{l, conflict}, payload: []byte(hostile),
	}
}

func TestTextsAreNeverMarkup(t *testing.T) {
	w := everything()
	b := open(t, Options{Version: hostile, Work: w, Jobs: w, Letters: w,
		Models: []Model{{Name: hostile, Task: hostile, SHA256: hostile, Device: hostile, Tracer: echo{}}}})
	query := url.Values{"model": {hostile}, "text": {hostile}, "params": {hostile}, "q": {hostile}, "state": {hostile}}.Encode()
	for _, path := range []string{"/", "/trace", "/trace?" + query, "/?" + query, "/jobs", "/jobs?" + query, "/jobs/" + url.PathEscape(hostile),
		"/dead", "/dead/abc", "/dead/def"} {
		got := b.get(path)
		if got.status != 200 || !strings.Contains(got.body, "alert(1)") {
			t.Errorf("%s: status %d, and nothing of the text", path, got.status)
		}
		harmless(t, path, got.body)
	}
	harmless(t, "an unknown model", b.get("/trace?text=x&model="+url.QueryEscape(hostile)).body)
	harmless(t, "an unknown job", b.get("/jobs/"+url.PathEscape(hostile+"x")).body)
	w.payload = []byte("\xff" + hostile)
	harmless(t, "a payload that is no text", b.get("/dead/abc").body)
}

// closed says what an answer lacks that every answer of these pages has.
func closed(h http.Header) (lacks []string) {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
		if h.Get(name) != want {
			lacks = append(lacks, name)
		}
	}
	return lacks
}

// inline is what the policy would keep from working.
var inline = regexp.MustCompile(`(?i) style=|<style|<script(?:[^>]*[^m>])?>[^<]|\son[a-z]+=|javascript:|(?:src|href|action)="(?:https?:)?//`)

func TestEveryAnswerIsClosed(t *testing.T) {
	w := &world{jobs: []Job{{Name: "j"}}, letters: []Letter{{ID: "abc"}}}
	b := open(t, Options{Work: w, Jobs: w, Letters: w, Models: []Model{{Name: "m", Tracer: echo{}}}})
	csrf := b.get("/").csrf()
	for _, r := range b.site.Routes() {
		path := strings.NewReplacer("{$}", "", "{name}", "none", "{job}", "j", "{id}", "abc").Replace(r.Path)
		if strings.HasPrefix(path, "/events/") { // which does not end; TestRegionsAreTold asks
			continue
		}
		var got answer
		if r.Method == http.MethodPost {
			got = b.post(path, csrf, nil)
		} else {
			got = b.get(path)
		}
		if lacks := closed(got.header); len(lacks) > 0 {
			t.Errorf("%s %s lacks %v", r.Method, path, lacks)
		}
		if found := inline.FindString(got.body); found != "" {
			t.Errorf("%s: %q is inline or from elsewhere", path, found)
		}
		if r.Method == http.MethodGet && got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", path, got.header.Get("Cache-Control"))
		}
		if r.Method == http.MethodPost {
			if got := b.post(path, "", nil); got.status != http.StatusForbidden || len(closed(got.header)) > 0 {
				t.Errorf("POST %s without a page's form: %d", path, got.status)
			}
		}
	}
	if len(w.done) != 2 {
		t.Errorf("done: %q; a form from elsewhere does something, or one of ours nothing", w.done)
	}
	if got := b.get("/trace?model=none&text=x"); got.status != 404 || len(closed(got.header)) > 0 || !strings.Contains(got.body, "<main") {
		t.Errorf("a failure: %d, lacks %v", got.status, closed(got.header))
	}
}

// TestAssetsAreKept holds every asset that a page or a module names to its name: with a hash, so that it is kept for good.
func TestAssetsAreKept(t *testing.T) {
	b := open(t, Options{})
	at, seen := regexp.MustCompile(`"(?:/assets|\.)/([a-z]+\.[0-9a-f]{12}\.(?:js|css|svg))"`), map[string]bool{}
	var follow func(body string)
	follow = func(body string) {
		for _, m := range at.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			got := b.get("/assets/" + m[1])
			if got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") || len(closed(got.header)) > 0 {
				t.Errorf("%s: %d, %q", m[1], got.status, got.header.Get("Cache-Control"))
			}
			if strings.Contains(got.body, ".js\"") && imported.MatchString(got.body) {
				t.Errorf("%s imports a module without its hash", m[1])
			}
			follow(got.body)
		}
	}
	follow(b.get("/").body)
	for kind, want := range map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"} {
		found := false
		for name := range seen {
			if strings.HasSuffix(name, kind) {
				found = true
				if got := b.get("/assets/" + name).header.Get("Content-Type"); !strings.HasPrefix(got, want) {
					t.Errorf("%s is %q", name, got)
				}
			}
		}
		if !found {
			t.Errorf("no page names a %s", kind)
		}
	}
	if got := b.get("/assets/style.css"); got.status != 404 {
		t.Errorf("an asset without its hash: %d", got.status)
	}
}

func TestLogin(t *testing.T) {
	b := open(t, Options{Sessions: session.New("secret")})
	stranger := func(accept, site string) answer {
		t.Helper()
		w := httptest.NewRecorder()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/jobs?state=done", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI = "/jobs?state=done"
		r.Header.Set("Accept", accept)
		r.Header.Set("Sec-Fetch-Site", site)
		b.site.Stranger(w, r)
		return answer{w.Code, w.Header(), w.Body.String()}
	}
	if got := stranger("*/*", ""); got.status != 401 || strings.Contains(got.body, "<") {
		t.Errorf("a program is told %d %q", got.status, got.body)
	}
	if got := stranger("text/html", "none"); got.status != 401 || !strings.Contains(got.body, `value="/jobs?state=done"`) {
		t.Errorf("a browser gets no form that leads on: %d\n%s", got.status, got.body)
	}
	if got := stranger("text/html", "cross-site"); !strings.Contains(got.body, `<a href="/jobs?state=done">Go on to <code>/jobs?state=done</code></a>`) {
		t.Errorf("who is led here does not see where he goes on to:\n%s", got.body)
	}
	csrf := b.get("/login").csrf()
	for _, token := range []string{"", "another", "secre"} {
		got := b.post("/login", csrf, url.Values{"token": {token}})
		if got.status != 401 || got.header.Get("Set-Cookie") != "" || !strings.Contains(got.body, "another token") {
			t.Errorf("with %q: %d, cookie %q", token, got.status, got.header.Get("Set-Cookie"))
		}
	}
	if got := b.post("/login", "", url.Values{"token": {"secret"}}); got.status != 403 || got.header.Get("Set-Cookie") != "" {
		t.Errorf("a form from elsewhere logs somebody in: %d", got.status)
	}
	for next, want := range map[string]string{"/jobs?state=done": "/jobs?state=done", "": "/", "https://evil.example/": "/",
		"//evil.example/x": "/", `/\evil.example`: "/", "/%5cevil.example": "/", "/a/../..//b": "/b", "javascript:alert(1)": "/", "jobs": "/", "/\t/evil.example": "/"} {
		got := b.post("/login", csrf, url.Values{"token": {" secret\n"}, "next": {next}})
		if got.status != 303 || got.header.Get("Location") != want || got.header.Get("Set-Cookie") == "" {
			t.Errorf("on to %q: %d to %q, want %q", next, got.status, got.header.Get("Location"), want)
		}
		csrf = b.get("/login").csrf() // another session's
	}
	if got := b.post("/logout", csrf, nil); got.status != 303 || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logging out: %d, %q", got.status, got.header.Get("Set-Cookie"))
	}
}

func TestFormsAreShort(t *testing.T) {
	b := open(t, Options{})
	if got := b.post("/login", b.get("/login").csrf(), url.Values{"next": {strings.Repeat("x", formBytes)}}); got.status != 413 {
		t.Errorf("a form that is too long: %d", got.status)
	}
}
