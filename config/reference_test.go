package config

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"textmill/internal/reference"
)

// The meaning of a key is its comment in the example file, its default and variable are the code's.
func TestReferenceOfConfiguration(t *testing.T) {
	whole, _ := withModels(t)
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(whole), &doc); err != nil {
		t.Fatal(err)
	}
	meanings := map[string]string{}
	collectComments(meanings, "", doc.Content[0])
	defaults := Default()
	const anyModel = "<name>"
	defaults.Models = map[string]Model{anyModel: {}}
	var out strings.Builder
	fmt.Fprintln(&out, "| key | type | default | environment | |\n|---|---|---|---|---|")
	for _, l := range leaves(&defaults) {
		meaning := meanings[strings.Replace(l.path, anyModel, "all-MiniLM-L6-v2", 1)]
		if meaning == "" {
			t.Errorf("%s: no comment in %s says what it is", l.path, example)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | `%s` | %s |\n", l.path, typeName(l), reference.Code(l.format()), l.env(), reference.Cell(meaning))
	}
	reference.Holds(t, "configuration.md", "keys", out.String())
}

// collectComments finds what the example says of each key: above it, beside it, or both.
func collectComments(into map[string]string, prefix string, mapping *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		path := prefix + key.Value
		if value.Kind == yaml.MappingNode {
			collectComments(into, path+".", value)
			continue
		}
		var said []string
		for _, c := range []string{key.HeadComment, value.LineComment} {
			for line := range strings.Lines(c) {
				said = append(said, strings.TrimSpace(strings.TrimLeft(line, "# ")))
			}
		}
		into[path] = strings.TrimSpace(strings.Join(said, " "))
	}
}

func typeName(l leaf) string {
	switch l.value.Interface().(type) {
	case ByteSize:
		return "size"
	case FileMode:
		return "mode"
	case Secret:
		return "secret"
	case []string:
		if l.file {
			return "paths"
		}
		return "list"
	case int, float64:
		return "number"
	case bool:
		return "true, false"
	case string:
		if l.file {
			return "path"
		}
		return "text"
	}
	return "duration"
}
