package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"textmill/tokenize/chat/internal/jinja"
)

// ErrTemplate is the class of errors about a template that is not there, cannot be honoured, or refuses a
// conversation.
var ErrTemplate = errors.New("chat template")

// Template is a chat template with the special tokens of its model; it is safe for concurrent use.
type Template struct {
	template *jinja.Template
	tokens   map[string]any
}

// Conversation is what a template turns into a prompt.
type Conversation struct {
	Messages            json.RawMessage // a list of objects; the order of their members is kept
	Tools, Documents    json.RawMessage // nil: none
	AddGenerationPrompt bool
	Variables           map[string]json.RawMessage // what else the template may ask for, such as enable_thinking
	Now                 time.Time                  // what strftime_now sees; zero: the clock
}

// HasTemplate reports whether there is any chat template.
func (c *Config) HasTemplate() bool { return len(c.templates) > 0 }

// Template returns a chat template by name; "" is the default one.
func (c *Config) Template(name string) (*Template, error) {
	if name == "" {
		name = "default"
	}
	source, ok := c.templates[name]
	if !ok {
		names := slices.Sorted(maps.Keys(c.templates))
		return nil, fmt.Errorf("%w: none named %q; there are %v", ErrTemplate, name, names)
	}
	return ParseTemplate(source, c)
}

// mostSource is how long a template may be, which takes some 150 times as much while it is parsed. Real ones have up
// to some ten thousand bytes.
const mostSource = 1 << 20

// ParseTemplate reads a template of one's own for the model of c.
func ParseTemplate(source string, c *Config) (*Template, error) {
	if len(source) > mostSource {
		return nil, fmt.Errorf("%w: it has %d bytes, more than the %d that are read", ErrTemplate, len(source), mostSource)
	}
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	tokens := map[string]any{}
	for name, content := range c.Tokens {
		tokens[name] = content
	}
	return &Template{t, tokens}, nil
}

// Render makes the prompt. Its special tokens are in the text: tokenize it without adding any.
func (t *Template) Render(c Conversation) (string, error) {
	names := maps.Clone(t.tokens)
	names["add_generation_prompt"] = c.AddGenerationPrompt
	now := c.Now
	if now.IsZero() {
		now = time.Now()
	}
	values := map[string]json.RawMessage{"messages": c.Messages, "tools": c.Tools, "documents": c.Documents}
	maps.Copy(values, c.Variables)
	for name, raw := range values {
		if raw == nil {
			names[name] = nil
			continue
		}
		v, err := jinja.FromJSON(raw)
		if err != nil {
			return "", fmt.Errorf("%w: %s: %w", ErrTemplate, name, err)
		}
		switch name {
		case "messages":
			v, err = normalized(v)
		case "tools", "documents":
			if v != nil {
				err = objects(name, v)
			}
		}
		if err != nil {
			return "", err
		}
		names[name] = v
	}
	prompt, err := t.template.Render(names, now)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return prompt, nil
}
