package facts

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"textmill/ground/regular"
	"textmill/models"
)

// mostCard bounds what is read of a model card.
const mostCard = 64 << 10

// licenseOf is the license that the bundle's model card names; "" where it has none, or none is named.
func licenseOf(s *models.Spec) string {
	f, err := regular.Open(filepath.Join(s.Dir, "README.md"))
	if err != nil {
		return ""
	}
	defer f.Close()
	card, err := io.ReadAll(io.LimitReader(f, mostCard))
	if err != nil {
		return ""
	}
	return license(card)
}

// license reads it from the front matter of a model card, as the Hugging Face hub has it.
func license(card []byte) string {
	head, found := bytes.CutPrefix(bytes.ReplaceAll(card, []byte("\r\n"), []byte("\n")), []byte("---\n"))
	if !found {
		return ""
	}
	head, _, found = bytes.Cut(head, []byte("\n---"))
	if !found {
		return ""
	}
	var told struct {
		License any    `yaml:"license"`
		Name    string `yaml:"license_name"` // where license is "other"
	}
	if yaml.Unmarshal(head, &told) != nil {
		return ""
	}
	var words []string
	switch l := told.License.(type) {
	case string:
		words = []string{l}
	case []any:
		for _, one := range l {
			if word, ok := one.(string); ok {
				words = append(words, word)
			}
		}
	}
	if told.Name != "" {
		words = append(words, told.Name)
	}
	return strings.Join(words, ", ")
}
