package daemon

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"textmill/config"
	"textmill/daemon/tracing"
)

func TestTracePage(t *testing.T) {
	cfg := testConfig(t)
	const writer = "SmolLM2-135M-Instruct"
	cfg.Models[writer] = config.Model{Slots: 2, MaxLength: 256}
	cfg.HTTP.TokenFile = tokenFile(t, "secret")
	r := start(t, cfg)
	ask := func(path, token, site string, form url.Values) (int, string) {
		t.Helper()
		code, body := r.do(http.MethodGet, path+"?"+form.Encode(), nil, "Authorization", "Bearer "+token, "Sec-Fetch-Site", site)
		return code, string(body)
	}
	form := func(model, text, params string) url.Values {
		return url.Values{"model": {model}, "text": {text}, "params": {params}}
	}
	for _, tc := range []struct {
		name, token, site string
		form              url.Values
		code              int
		want              []string
	}{
		{"the form alone", "secret", "none", nil, 200, []string{"<form ", model, writer}},
		{"a text for vectors, escaped", "secret", "same-origin", form(model, "<b>fun\x00</b>", ""), 200, []string{"&lt;b&gt;fun", "vector <b>[384]</b>, norm <b>"}},
		{"a text to continue", "secret", "same-origin", form(writer, "What is the capital of France?", `{"chat":true}`), 200, []string{"Ended by <b>EOS</b> after 8 tokens", "[49,152 × 576]", "The capital of France is Paris."}},
		{"params of the other task", "secret", "same-origin", form(model, "x", `{"temperature":1}`), 200, []string{"temperature"}},
		{"an empty prompt", "secret", "same-origin", form(writer, "", ""), 200, []string{"no tokens"}},
		{"an unknown model", "secret", "same-origin", form("other", "x", ""), 404, []string{"no such model"}},
		{"too long a text", "secret", "same-origin", form(model, strings.Repeat("x", tracing.MaxText+1), ""), 413, []string{"too long"}},
		{"another site's page", "secret", "cross-site", form(model, "x", ""), 403, nil},
		{"without the token", "", "none", form(model, "x", ""), 401, nil},
		{"two texts", "secret", "same-origin", url.Values{"model": {model}, "text": {"a cat"}, "other": {"a kitten"}}, 200, []string{"Cosine of their vectors"}},
	} {
		code, body := ask("/trace", tc.token, tc.site, tc.form)
		if code != tc.code || strings.Contains(body, "<b>fun") {
			t.Errorf("%s: status %d, want %d\n%s", tc.name, code, tc.code, body)
		}
		for _, want := range tc.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in\n%s", tc.name, want, body)
			}
		}
	}
	traceFigures(t, func(form url.Values) string {
		code, body := ask("/events/trace", "secret", "none", form)
		if code != 200 {
			t.Fatalf("%v: status %d, %s", form, code, body)
		}
		return body
	})
	if code, _ := ask("/events/trace", "", "none", form(model, "x", "")); code != 401 {
		t.Errorf("events without the token: status %d", code)
	}
}
