package tables

import (
	"encoding/json"
	"testing"

	"textmill/export/part"
)

// FuzzColumns is the schema in another's table.
func FuzzColumns(f *testing.F) {
	f.Add(part.SchemaString(part.Float32))
	f.Add(`{"fields":[{"name":"a","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":{"type":"struct","fields":[]}}}},{"type":7}]}`)
	f.Add(`{"fields":null}`)
	f.Fuzz(func(t *testing.T, schema string) {
		columns, err := columnsOf(schema)
		if err != nil {
			return
		}
		var whole struct{ Fields []json.RawMessage }
		if err := json.Unmarshal([]byte(schema), &whole); err != nil || len(columns) != len(whole.Fields) {
			t.Errorf("%d columns of %d, %v", len(columns), len(whole.Fields), err)
		}
		if kind, err := part.KindOf(schema); err == nil && kind.DeltaType() == "" {
			t.Errorf("kind %v", kind)
		}
	})
}
