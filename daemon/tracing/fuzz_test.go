package tracing

import (
	"encoding/json"
	"net/url"
	"testing"

	"textmill/ground/naming"
)

// FuzzQuestion holds what is made of a query to what a model is asked: params that are JSON, or an error.
func FuzzQuestion(f *testing.F) {
	for _, query := range []string{"", "model=m&text=x", "text=x&temperature=0.5&params=%7B%22top_k%22:7%7D", "text=x&params=null&seed=1",
		"text=x&params=[]&top_k=1", "text=x&chat=yes", "a=%00&text", "text=x&look=1,2,3,4&other=y&params=%7B"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, asked := Read(values)
		if asked != values.Has("text") {
			t.Errorf("asked is %v", asked)
		}
		for _, task := range []string{naming.TaskEmbed, naming.TaskGenerate} {
			if params, err := q.params(task); err == nil && len(q.Named) > 0 && !json.Valid(params) {
				t.Errorf("%q: params %q", query, params)
			}
		}
	})
}
