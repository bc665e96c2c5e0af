package daemon

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"textmill/jobs"
)

// TestLinksOfOtherSites follows links of a chat or a ticket to every address: to pages with any query, to what is read
// once without one, and never to what is held open or changes anything. None of them runs a model.
func TestLinksOfOtherSites(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.PProf = true
	cfg.HTTP.TokenFile = tokenFile(t, "a secret")
	r := start(t, cfg)
	r.publish("textmill.jobs.embed."+model, nil, `{"job":"j","shard":0,"shards":1,"dataset":"docs","records":[{"id":"a","text":"bread"}]}`)
	r.await(jobs.EventCommitted)
	led := func(method, path string) (status, body string) {
		return r.say(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\n" +
			"Authorization: Bearer a secret\r\nContent-Length: 0\r\n" +
			"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n")
	}
	runs := func() string {
		_, body := r.do(http.MethodGet, "/metrics", nil, "Authorization", "Bearer a secret")
		return regexp.MustCompile(`(?m)^textmill_batches_total.*`).FindString(string(body))
	}
	before := runs()
	for _, p := range r.daemon.web.Pages() {
		path := strings.NewReplacer("{model}", model, "{dataset}", "docs", "{$}", "", "{name}", "none", "{job}", "j", "{id}", "none").Replace(p.Path)
		holds := p.Method != http.MethodGet || strings.HasPrefix(path, "/events/") || strings.HasPrefix(path, "/debug/")
		page := !holds && !strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/assets/")
		switch path {
		case "/healthz", "/readyz", "/metrics", "/status", "/login":
			page = false
		}
		if status, _ := led(p.Method, path); strings.HasPrefix(status, "403") != holds {
			t.Errorf("%s %s: %s", p.Method, path, status)
		}
		if status, _ := led(p.Method, path+"?q=bread&model="+model+"&text=x&state=failed&next=//evil.example"); strings.HasPrefix(status, "403") == page {
			t.Errorf("%s %s with a query: %s", p.Method, path, status)
		}
	}
	for path, want := range map[string]string{"/trace?model=" + model + "&text=x": "nothing has been run yet",
		"/tables/docs?q=bread": "nothing has been searched yet", "/jobs?state=done": `aria-current="true">done`} {
		if status, body := led(http.MethodGet, path); !strings.HasPrefix(status, "200") || !strings.Contains(body, want) {
			t.Errorf("%s: %s, without %q\n%s", path, status, want, body)
		}
	}
	if after := runs(); before == "" || after != before {
		t.Errorf("links had the model run: %s, before %s", after, before)
	}
}
