package chat

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"textmill/tokenize/chat/internal/jinja"
)

// Templates that people brought, with what jinja2 3.1.6 renders of them.
func TestTemplatesThatPeopleBrought(t *testing.T) {
	messages := json.RawMessage(`[{"role":"user","content":"a <b>"},{"role":"assistant","content":null,"reasoning":"r"}]`)
	for source, want := range map[string]string{
		"{{ none|map('upper')|list }}":                                   "[]",
		"{% if tools %}{{ tools|from_json }}{% endif %}ok":               "ok",
		"{% for m in [] %}{{ m|from_json }}{% endfor %}ok":               "",
		"{{ 'a' if true else messages|from_json }}":                      "a",
		"{% if tools is defined and false %}{{ 1 is json }}{% endif %}o": "o",
		"{{ '{}-{:02d}'.format('a', 7) }}":                               "a-07",
		"{{ '%s' % 'a' }}":                                               "a",
		"{{ 'a b'.split(none, 1) }}":                                     "['a', 'b']",
		"{{ 'a-b c'|title }}|{{ 'x'|center(9) }}|":                       "A-B C|    x    |",
		"{{ [1,2,3]|batch(2)|list }}":                                    "[[1, 2], [3]]",
		"{{ (messages|groupby('role'))[0].grouper }}":                    "assistant",
		"{% set j = joiner() %}{{ j() }}a{{ j() }}b":                     "a, b",
		"{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}":         "12",
		"{{ 'a'.ljust(3) }}|{{ 0x1f }}|{{ strftime_now('%-d') }}":        "a  |31|7",
		"{{ 5|round }} {{ '²'.isdigit() }} {{ '0x1f'|int(0,16) }}":       "5 True 31",
		"{{ joiner is defined }} {{ 'ﬁx'|capitalize }}":                  "True Fix",
		"{{ ('<s>'|e) + messages[0].content }}":                          "&lt;s&gt;a &lt;b&gt;",
		"{{ messages[1].content is defined }}{{ messages[1].thinking }}": "Falser", // as transformers 5.24 hands messages on
	} {
		template, err := ParseTemplate(source, &Config{})
		if strings.Contains(source, "for m in []") { // a loop is no branch: unknown filters are an error at once
			if !errors.Is(err, ErrTemplate) {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := template.Render(Conversation{Messages: messages, Now: goldenTime})
		if err != nil || got != want {
			t.Errorf("%s renders %q, %v", source, got, err)
		}
	}
}

// An error names the line of the template and the cause, so that a row's error leads to the place.
func TestErrorsNameThePlaceInTheTemplate(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{{ messages[0].content.x.y }}":                            "template line 2: 'str object' has no attribute 'x'",
		"\n\n{{ raise_exception('roles must alternate') }}":           "template line 3: roles must alternate",
		"{% if x %}\n{{ y|from_json }}{% endif %}":                    "template line 2: No filter named 'from_json' found.",
		"\n{{ 1 + 'a' }}":                                             "template line 2: TypeError: unsupported operand type(s) for +: 'int' and 'str'",
		"{% macro f() %}\n\n{{ {}['a'].b }}{% endmacro %}\n{{ f() }}": "template line 3: 'dict object' has no attribute 'a'",
		"{% for m in messages %}\n{% if m %}":                         "template line 2: the template ends where one of [elif else endif] is wanted",
		"\n{{ random(":                                                "template line 2: tag has no end",
		"{{ 'a'.encode() }}":                                          "template line 1: bytes are not supported",
		"\n{{ [1, 2]|random }}":                                       "template line 2: random chooses among 2 items: the same conversation must give the same prompt",
	} {
		template, err := ParseTemplate(source, &Config{})
		if err == nil {
			_, err = template.Render(Conversation{Messages: json.RawMessage(`[{"role":"user","content":"a"}]`), Variables: map[string]json.RawMessage{"x": json.RawMessage("true")}})
		}
		var e *jinja.Error
		if !errors.Is(err, ErrTemplate) || !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%q: %v\n  want %s", source, err, want)
		}
	}
}
