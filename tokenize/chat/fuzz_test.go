package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
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
		"{{ '{:>{}.2f}|{!r}'.format(1.5, 9, 'x') }}{{ '%-5d|%(a)s' % {'a': 1} }}{{ '%*.*f' % (3, 2, 1) }}{{ 7 ** 99 // 3 }}",
		"{% block a %}{{ self.a }}{% endblock %}{% call(x) f(*[1], **{'a': 2}) %}{{ x }}{% endcall %}{% filter upper|indent(2) %}a{% endfilter %}",
		"{{ messages|groupby('role')|list }}{{ 'a-b c'|wordwrap(3)|title|urlize }}{{ messages|pprint }}{{ 'a'|e ~ '<'|batch(2)|list }}",
		"{% set ns.a, b = 1, 2 %}{{ strftime_now('%-d %5Y') }}{{ 'x'.translate({120: 'y'}).center(9, '*') }}{{ 0x1f|int(0, 16)|round(-1) }}",
		"{% autoescape true %}{{ messages }}{% endautoescape %}{{ true or 1|nofilter }}{{ (10)[1:] }}{{ '\\N{DASH}'.maketrans('a', 'b') }}",
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
	f.Add([]byte(`{"tokenizer_class":"LlamaTokenizerFast","extra_special_tokens":{"image_token":{"__type":"AddedToken","content":"<i>"}},"padding":{"pad_token":"<p>"},"model_type":"gemma"}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "config.json", "tokenizer.json"} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := LoadConfig(dir)
		if err == nil && c.HasTemplate() {
			_, _ = c.Template("")
		}
	})
}

// FuzzConversation is the messages of a job: whatever they are, templates of models' kinds render them, or say why not.
func FuzzConversation(f *testing.F) {
	f.Add([]byte(`[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hé"}]},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":1e3}}}]}]`), []byte(`[{"name":"f"}]`))
	f.Add([]byte(`[[],{"role":7},"x",{"role":"\ud83d\ude00","content":123456789012345678901234567890}]`), []byte(`null`))
	f.Add([]byte(`{"a":{"a":{"a":[[[[]]]]}}}`), []byte(`{`))
	var templates []*Template
	for _, source := range []string{
		"{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}",
		"{% for m in messages %}{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endif %}{{ m.tool_calls | tojson }}{% endfor %}",
		"{{ messages }}{{ messages | tojson(indent=2) }}{% for m in messages | sort(attribute='role') %}{{ m.items() | list }}{% endfor %}{% if tools %}{{ tools | length }}{% endif %}{{ messages[-1].content[:3] | upper }}",
		"{{ messages | map(attribute='content') | join(', ') }}{{ messages | selectattr('role', 'equalto', 'user') | list | tojson }}",
	} {
		template, err := ParseTemplate(source, &Config{})
		if err != nil {
			f.Fatalf("%s: %v", source, err)
		}
		templates = append(templates, template)
	}
	f.Fuzz(func(t *testing.T, messages, tools []byte) {
		for _, template := range templates {
			out, err := template.Render(Conversation{Messages: messages, Tools: tools})
			if err != nil && !errors.Is(err, ErrTemplate) {
				t.Fatalf("%v is not of class ErrTemplate", err)
			}
			if !utf8.ValidString(out) {
				t.Fatalf("%q renders to invalid UTF-8 %q", messages, out)
			}
			if len(out) > 1<<10+32*len(messages)*(1+len(messages)) {
				t.Fatalf("%d bytes render to %d", len(messages), len(out))
			}
		}
	})
}
