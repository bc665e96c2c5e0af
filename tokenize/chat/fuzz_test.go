package chat

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{% for m in messages %}{{ m.role ~ m['content'] | trim }}{% endfor %}",
		"{%- set ns = namespace(a=1) -%}{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"{% for i in range(9) if i is odd recursive %}{{ loop([i]) }}{% else %}{% endfor %}",
		"{{ 'a' * 99999999 }}{{ 9223372036854775807 + 1 }}{{ [1][::-1] | tojson(indent=2) }}",
		"{% raw %}{{ x }}{% endraw %}{# c #}{{ (((((1))))) if x else y[1:2:-1] }}",
		"{{ messages | map(attribute='content') | select('string') | join('\\u00e9') }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := ParseTemplate(source, &Config{Tokens: map[string]string{"bos_token": "<s>"}})
		if err != nil {
			if !errors.Is(err, ErrTemplate) {
				t.Fatalf("%v is not of class ErrTemplate", err)
			}
			return
		}
		out, err := template.Render(Conversation{Messages: json.RawMessage(`[{"role":"user","content":"hé"},{"role":"assistant","content":null}]`)})
		if err != nil && !errors.Is(err, ErrTemplate) {
			t.Fatalf("%v is not of class ErrTemplate", err)
		}
		if utf8.ValidString(source) && !utf8.ValidString(out) {
			t.Fatalf("%q renders to invalid UTF-8 %q", source, out)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"bos_token":{"content":"<s>"},"eos_token":null,"model_max_length":1e30,"chat_template":[{"name":"a","template":"{{ 1 }}"}]}`))
	f.Add([]byte(`{"chat_template":"{{ bos_token }}","additional_special_tokens":["<x>",{"content":"<y>"}],"padding_side":"left"}`))
	f.Add([]byte(`{"chat_template":[1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err == nil && c.HasTemplate() {
			c.Template("")
		}
	})
}
