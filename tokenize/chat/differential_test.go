package chat

import (
	"encoding/json"
	"errors"
	"flag"
	"testing"

	"textmill/internal/golden"
	"textmill/tokenize/chat/internal/jinja"
)

var cases = flag.String("cases", "testdata/differential.jsonl.gz", "what testdata/differential.py made")

// differential.py makes the templates and asks jinja2 itself: the same text, or an error of the same class.
func TestEveryExpressionAsInJinja2(t *testing.T) {
	type row struct {
		Contexts []map[string]json.RawMessage
		Source   string
		Context  int
		Want     *string
		Error    string
	}
	rows := golden.Values[row](t, *cases)
	contexts, wrong := rows[0].Contexts, 0
	for _, row := range rows[1:] {
		names := map[string]any{}
		for name, raw := range contexts[row.Context] {
			v, err := jinja.FromJSON(raw)
			if err != nil {
				t.Fatal(err)
			}
			names[name] = v
		}
		got := ""
		template, err := jinja.Parse(row.Source)
		if err == nil {
			got, err = template.Render(names, goldenTime)
		}
		var e *jinja.Error
		errors.As(err, &e)
		switch {
		case row.Want != nil && err != nil:
			t.Errorf("%s\n  context %d: %v\n  want %q", row.Source, row.Context, err, *row.Want)
		case row.Want != nil && got != *row.Want:
			t.Errorf("%s\n  context %d\n   got %q\n  want %q", row.Source, row.Context, got, *row.Want)
		case row.Want == nil && err == nil:
			t.Errorf("%s\n  context %d\n   got %q\n  want %s", row.Source, row.Context, got, row.Error)
		case row.Want == nil && (e == nil || e.Class != row.Error):
			t.Errorf("%s\n  context %d\n   got %v (%s)\n  want %s", row.Source, row.Context, err, e.Class, row.Error)
		default:
			continue
		}
		if wrong++; wrong == 200 {
			t.Fatal("and so on")
		}
	}
}
