package chat

import (
	"encoding/json"
	"testing"
	"time"

	"textmill/internal/golden"
)

// golden.py makes the file with jinja2 itself.
func TestTemplatesRenderAsInPython(t *testing.T) {
	now := time.Date(2026, 3, 7, 9, 5, 2, 0, time.UTC)
	type row struct {
		Name, Source string
		Tokens       map[string]string
		Cases        []struct {
			Names map[string]json.RawMessage
			Want  *string
			Error string
		}
	}
	for _, row := range golden.Values[row](t, "testdata/golden.jsonl.gz") {
		template, parseError := ParseTemplate(row.Source, &Config{Tokens: row.Tokens})
		for i, c := range row.Cases {
			if parseError != nil {
				if c.Want != nil {
					t.Errorf("%s is refused: %v\n%s", row.Name, parseError, row.Source)
				}
				break
			}
			v := Conversation{Now: now, Variables: c.Names, Messages: c.Names["messages"], Tools: c.Names["tools"]}
			v.AddGenerationPrompt = string(c.Names["add_generation_prompt"]) == "true"
			got, err := template.Render(v)
			switch {
			case c.Want == nil && err == nil:
				t.Errorf("%s case %d: rendered %q, but jinja2 says %s", row.Name, i, got, c.Error)
			case c.Want != nil && err != nil:
				t.Errorf("%s case %d: %v\n%s", row.Name, i, err, row.Source)
			case c.Want != nil && got != *c.Want:
				t.Errorf("%s case %d:\n got %q\nwant %q\n%s", row.Name, i, got, *c.Want, row.Source)
			}
		}
	}
}
