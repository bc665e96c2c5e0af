package jsonread

import (
	"encoding/json"
	"errors"
	"testing"
)

// read takes a document apart as encoding/json would.
func read(r *Reader) any {
	switch r.Kind() {
	case '{':
		m := map[string]any{}
		r.Object(func(key string) { m[key] = read(r) })
		return m
	case '[':
		list := []any{}
		r.Array(func(int) { list = append(list, read(r)) })
		return list
	case '"':
		return r.String()
	case 't', 'f':
		return r.Bool()
	case '0':
		return r.Float()
	}
	if !r.Null() {
		r.Skip()
	}
	return nil
}

// FuzzReader: what we accept, encoding/json accepts; errors name a path and nothing panics.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n",null,true]}`, `[[[]]]`, `"\ud800"`, `{"a":1,}`, `01`, `1e400`, "\"\xff\"", `{"a" :`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New(data)
		read(r)
		if err := r.End(); err != nil {
			var where *Error
			if !errors.As(err, &where) {
				t.Fatalf("error %v is not an *Error", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted %q", data)
		}
	})
}

func TestErrorsNameThePath(t *testing.T) {
	r := New([]byte(`{"a":{"b c":[0,{"d":1.5}]}}`))
	r.Object(func(string) {
		r.Object(func(string) {
			r.Array(func(i int) {
				if i == 0 {
					r.ID()
					return
				}
				r.Object(func(string) { r.ID() })
			})
		})
	})
	const want = `a["b c"][1].d: 1.5 is not a whole number from 0 to 2147483647`
	if r.Err() == nil || r.Err().Error() != want {
		t.Errorf("error %v, want %s", r.Err(), want)
	}
}
