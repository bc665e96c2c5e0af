package daemon

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"textmill/jobs"
)

// What the queue brought is seen on the pages of its table and of its model, and answers questions by that very model.
func TestTableAnswersInWords(t *testing.T) {
	r := start(t, testConfig(t))
	r.publish("textmill.jobs.embed."+model, nil, `{"job":"j","shard":0,"shards":1,"dataset":"docs","records":[`+
		`{"id":"bread","text":"Knead the dough and let it rise for an hour.","attributes":{"lang":"en"}},`+
		`{"id":"tide","text":"The tide turns twice a day.","attributes":{"lang":"en"}},`+
		`{"id":"brot","text":"Den Teig kneten und gehen lassen, dann das Brot backen.","attributes":{"lang":"de"}},`+
		`{"id":"empty","text":7}]}`)
	r.await(jobs.EventCommitted)
	get := func(path string) string {
		t.Helper()
		status, body := r.do(http.MethodGet, path, nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d\n%s", path, status, body)
		}
		return string(body)
	}
	ids := func(body string) (all []string) {
		for _, m := range regexp.MustCompile(`class="score"[^>]*>[^<]*</span><code class="id">([^<]*)<`).FindAllStringSubmatch(body, -1) {
			all = append(all, m[1])
		}
		return all
	}
	if got := ids(get("/tables/docs?q=how+do+I+bake+bread&k=3")); len(got) != 3 || got[0] != "bread" || got[2] == "bread" {
		t.Errorf("nearest to a question about bread: %v", got)
	}
	if got := ids(get("/tables/docs?q=how+do+I+bake+bread&where=lang%3Dde")); !slices.Equal(got, []string{"brot"}) {
		t.Errorf("in German: %v", got)
	}
	for path, want := range map[string]string{"/tables": `<a href="/tables/docs">docs</a>`, "/tables/docs": "invalid_record",
		"/models/" + model: `<a href="/tables/docs">docs</a>`, "/models": "BertModel"} {
		if body := get(path); !strings.Contains(body, want) {
			t.Errorf("%s lacks %s\n%s", path, want, body)
		}
	}
}
