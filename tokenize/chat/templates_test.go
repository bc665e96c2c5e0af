package chat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"

	"textmill/internal/golden"
	"textmill/tokenize/chat/internal/jinja"
)

const rendered = "../../.cache/templates/rendered.jsonl.gz"

// templates.py unpacks the templates of real models and renders them with jinja2, when the tests are set up.
func TestRealTemplatesAsInTransformers(t *testing.T) {
	if _, err := os.Stat(rendered); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v; run: make %s", err, ".cache/templates/rendered.jsonl.gz")
	}
	rows := golden.Values[goldenRow](t, rendered)
	if len(rows) < 100 {
		t.Errorf("%d templates", len(rows))
	}
	for _, row := range rows {
		row.compare(t)
		if len(row.Cases) < 20 {
			t.Errorf("%s: %d conversations", row.Name, len(row.Cases))
		}
	}
}

// goldenRow is a template and what jinja2 renders of it.
type goldenRow struct {
	Name, Source string
	Tokens       map[string]string
	Cases        []struct {
		Names map[string]json.RawMessage
		Want  *string
		Error string
	}
}

func (row goldenRow) compare(t *testing.T) {
	t.Helper()
	template, parseError := ParseTemplate(row.Source, &Config{Tokens: row.Tokens})
	for i, c := range row.Cases {
		if parseError != nil {
			if c.Want != nil {
				t.Errorf("%s is refused: %v\n%s", row.Name, parseError, row.Source)
			}
			return
		}
		v := Conversation{Now: goldenTime, Variables: c.Names, Messages: c.Names["messages"], Tools: c.Names["tools"], Documents: c.Names["documents"]}
		v.AddGenerationPrompt = string(c.Names["add_generation_prompt"]) == "true"
		got, err := template.Render(v)
		var e *jinja.Error
		switch {
		case c.Want == nil && err == nil:
			t.Errorf("%s case %d: rendered %q, but jinja2 says %s", row.Name, i, got, c.Error)
		case c.Want == nil && errors.As(err, &e) && (e.Class != c.Error || e.Line == 0):
			t.Errorf("%s case %d: %v (%s at line %d), but jinja2 says %s", row.Name, i, err, e.Class, e.Line, c.Error)
		case c.Want != nil && err != nil:
			t.Errorf("%s case %d: %v", row.Name, i, err)
		case c.Want != nil && got != *c.Want:
			t.Errorf("%s case %d:\n got %q\nwant %q", row.Name, i, got, *c.Want)
		}
	}
}
