package chat

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadConfigTakesTheFilesTogether(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"special_tokens_map.json": `{"bos_token": {"content": "<s>"}, "mask_token": "[M]", "additional_special_tokens": ["<a>", {"content": "<b>"}]}`,
		"tokenizer_config.json": `{"bos_token": {"content": "<other>", "lstrip": true}, "eos_token": null, "add_bos_token": true, "model_max_length": 1000000000000000019884624838656,
			"tokenizer_class": "LlamaTokenizer", "padding_side": "left", "chat_template": [{"name": "default", "template": "old"}, {"name": "tool_use", "template": "T{{ unk_token }}{{ additional_special_tokens is defined }}"}]}`,
		"chat_template.jinja":                   "{{ bos_token }}{{ messages[0].content }}",
		"additional_chat_templates/named.jinja": "{{ mask_token }}",
		"additional_chat_templates/readme.md":   "not a template",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"bos_token": "<s>", "mask_token": "[M]", "unk_token": "<unk>"}; !maps.Equal(c.Tokens, want) {
		t.Errorf("tokens are %v", c.Tokens)
	}
	if c.ModelMaxLength != 0 || c.PaddingSide != "left" || c.Class != "LlamaTokenizer" || c.AddBOS == nil || !*c.AddBOS || c.AddEOS != nil {
		t.Errorf("config is %+v", c)
	}
	for name, want := range map[string]string{"": "<s>hi", "tool_use": "T<unk>False", "named": "[M]"} {
		template, err := c.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := template.Render(Conversation{Messages: json.RawMessage(`[{"content":"hi"}]`)})
		if err != nil || got != want {
			t.Errorf("template %q renders %q, %v", name, got, err)
		}
	}
	if _, err := c.Template("rag"); !errors.Is(err, ErrTemplate) {
		t.Errorf("a template that is not there: %v", err)
	}
}

func TestTemplateThatNeverEndsIsStopped(t *testing.T) {
	for name, source := range map[string]string{
		"loops in loops":   "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
		"endless macro":    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
		"growing string":   "{% set ns = namespace(s='x') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"growing list":     "{% set ns = namespace(s=[1]) %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"deep parentheses": "{{ " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + " }}",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			template, err := ParseTemplate(source, &Config{})
			if err == nil {
				_, err = template.Render(Conversation{})
			}
			if !errors.Is(err, ErrTemplate) {
				t.Errorf("want an error, have %v after %v", err, time.Since(began))
			}
		})
	}
}
