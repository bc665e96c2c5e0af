package tokens

import (
	"testing"
	"unicode/utf8"

	"textmill/jobs"
	"textmill/local"
)

// FuzzTokenIDs is a line of `tokenize --decode`: a list of IDs, or an error that says what is wrong with the record.
func FuzzTokenIDs(f *testing.F) {
	for _, s := range []string{`{"id":"a","input_ids":[101,7592,102]}`, `{"input_ids":null}`, `{"id":7,"input_ids":[1e3,-1]}`, `[1]`, `{"input_ids":[1]} x`, "{\"id\":\"\xff\"}", `101 7592,102`} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, isText bool) {
		l := local.Line{Index: 3, Raw: raw, IsText: isText}
		if isText {
			l.Raw, l.Text = nil, string(raw)
		}
		id, ids, err := tokenIDs(l)
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
