// Package chat turns conversations into prompts by a model's own chat template, as transformers does.
package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/regular"
)

// Config is what tokenizer_config.json and the files beside it say about a tokenizer.
type Config struct {
	Class          string
	Tokens         map[string]string // bos_token, eos_token, image_token, …: those that are set, or implied by the class
	ModelMaxLength int               // 0: no limit
	PaddingSide    string            // "" when not said
	TruncationSide string
	AddBOS, AddEOS *bool
	templates      map[string]string
}

// LoadConfig reads tokenizer_config.json, special_tokens_map.json, chat_template.json or .jinja, and the named
// templates of additional_chat_templates/ from a model's folder. Any of them may be absent. Named tokens are those
// that transformers' AutoTokenizer finds, which also looks into config.json and tokenizer.json.
func LoadConfig(dir string) (*Config, error) {
	c := &Config{templates: map[string]string{}}
	for _, f := range []struct {
		name string
		read func([]byte) error
	}{
		{"tokenizer_config.json", c.read},
		{"chat_template.json", c.readTemplates},
		{"chat_template.jinja", func(b []byte) error { c.templates["default"] = string(b); return nil }},
	} {
		path := filepath.Join(dir, f.name)
		data, err := regular.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = f.read(data)
		}
		if err != nil {
			return nil, fmt.Errorf("read tokenizer config %s: %w", path, err)
		}
	}
	var err error
	if c.Tokens, err = readTokens(dir); err != nil {
		return nil, err
	}
	return c, c.readNamed(filepath.Join(dir, "additional_chat_templates"))
}

// readNamed reads NAME.jinja files.
func (c *Config) readNamed(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read chat templates: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jinja")
		if !ok {
			continue
		}
		source, err := regular.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("read chat template %q: %w", name, err)
		}
		c.templates[name] = string(source)
	}
	return nil
}

func (c *Config) read(data []byte) error {
	var f struct {
		Class          string      `json:"tokenizer_class"`
		ModelMaxLength json.Number `json:"model_max_length"`
		PaddingSide    string      `json:"padding_side"`
		TruncationSide string      `json:"truncation_side"`
		AddBOS         *bool       `json:"add_bos_token"`
		AddEOS         *bool       `json:"add_eos_token"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	c.Class, c.PaddingSide, c.TruncationSide, c.AddBOS, c.AddEOS = f.Class, f.PaddingSide, f.TruncationSide, f.AddBOS,
		f.AddEOS
	// "No limit" is written as a number far beyond any integer.
	if n, err := f.ModelMaxLength.Float64(); err == nil && n > 0 && n < 1<<30 {
		c.ModelMaxLength = int(n)
	}
	return c.readTemplates(data)
}

// tokenContent reads a token that is written as a string or as an object; flags such as add_bos_token are neither.
func tokenContent(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) == nil && s != nil {
		return *s, true
	}
	var object struct {
		Content *string `json:"content"`
	}
	if json.Unmarshal(raw, &object) == nil && object.Content != nil {
		return *object.Content, true
	}
	return "", false
}

// readTemplates reads chat_template: one template, or a list of named ones.
func (c *Config) readTemplates(data []byte) error {
	var f struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if len(f.Template) == 0 || string(f.Template) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(f.Template, &one) == nil {
		c.templates["default"] = one
		return nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(f.Template, &named); err != nil {
		return fmt.Errorf("chat_template: neither a template nor a list of named ones: %w", err)
	}
	for _, t := range named {
		c.templates[t.Name] = t.Template
	}
	return nil
}
