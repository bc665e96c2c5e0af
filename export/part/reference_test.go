package part

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"textmill/internal/reference"
)

// TestReferenceOfColumns gathers the columns of a table by their types, in Delta's words.
func TestReferenceOfColumns(t *testing.T) {
	var schema struct {
		Fields []struct {
			Name string
			Type any
		}
	}
	if err := json.Unmarshal([]byte(SchemaString(Float32)), &schema); err != nil {
		t.Fatal(err)
	}
	var types []string
	columns := map[string][]string{}
	for _, f := range schema.Fields {
		name := typeName(f.Type)
		if f.Name == "embedding" {
			name += fmt.Sprintf(", or of %s or %s for the quantized precisions", Int8.DeltaType(), Int16.DeltaType())
		}
		if !slices.Contains(types, name) {
			types = append(types, name)
		}
		columns[name] = append(columns[name], "`"+f.Name+"`")
	}
	var out strings.Builder
	fmt.Fprintln(&out, "| type | columns |\n|---|---|")
	for _, name := range types {
		fmt.Fprintf(&out, "| %s | %s |\n", reference.Cell(name), strings.Join(columns[name], ", "))
	}
	reference.Holds(t, "tables.md", "columns", out.String())
}

func typeName(typ any) string {
	m, ok := typ.(map[string]any)
	switch {
	case !ok:
		return typ.(string)
	case m["type"] == "map":
		return fmt.Sprintf("map of %v to %v", m["keyType"], m["valueType"])
	}
	return fmt.Sprintf("list of %v", m["elementType"])
}
