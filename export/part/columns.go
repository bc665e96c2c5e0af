package part

import (
	"fmt"
	"strings"
)

// Column is one of a table's.
type Column struct {
	Name string
	Type string // as Delta calls it, in one line: string, array<integer>, map<string,string>; struct is any other
}

// Single tells whether it holds one value in a row.
func (c Column) Single() bool { return c.Type != "struct" && !strings.Contains(c.Type, "<") }

// Columns are those of a Delta schema, be it ours or another's.
func Columns(schemaString string) ([]Column, error) {
	fields, err := fieldsOf(schemaString)
	all := make([]Column, len(fields))
	for i, f := range fields {
		name, is := f["name"].(string)
		if !is && f["name"] != nil {
			return nil, fmt.Errorf("a column is called %v", f["name"])
		}
		all[i] = Column{name, lineOf(f["type"])}
	}
	return all, err
}

func lineOf(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case map[string]any:
		switch t["type"] {
		case "array":
			return "array<" + lineOf(t["elementType"]) + ">"
		case "map":
			return "map<" + lineOf(t["keyType"]) + "," + lineOf(t["valueType"]) + ">"
		}
	}
	return "struct"
}
