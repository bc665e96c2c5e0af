package local

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"textmill/export/part"
	"textmill/jobs"
)

// FuzzTokenIDs is a line of `tokenize --decode`: a list of IDs, or an error that says what is wrong with the record.
func FuzzTokenIDs(f *testing.F) {
	for _, s := range []string{`{"id":"a","input_ids":[101,7592,102]}`, `{"input_ids":null}`, `{"id":7,"input_ids":[1e3,-1]}`, `[1]`, `{"input_ids":[1]} x`, "{\"id\":\"\xff\"}", `101 7592,102`} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, isText bool) {
		l := line{index: 3, raw: raw, isText: isText}
		if isText {
			l.raw, l.text = nil, string(raw)
		}
		id, ids, err := l.tokenIDs()
		if id == "" || !utf8.ValidString(id) {
			t.Errorf("id %q", id)
		}
		if err != nil {
			if err.Class != jobs.InvalidRecord && err.Class != jobs.BadUTF8 || err.Message == "" || ids != nil {
				t.Errorf("%+v beside %v", err, ids)
			}
			return
		}
		if len(ids) > len(raw) {
			t.Errorf("%d IDs out of %d bytes", len(ids), len(raw))
		}
	})
}

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
