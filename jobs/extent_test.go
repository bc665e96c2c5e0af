package jobs

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// What is wrong with one record's JSON costs that record only, wherever its end can be found; its id is kept.
func TestMalformedRecordsCostThemselvesOnly(t *testing.T) {
	for name, c := range map[string]struct{ raw, class, says, id string }{
		"NaN in attributes":           {`{"id":"x","text":"t","attributes":{"score":NaN,"n":1}}`, InvalidRecord, "at /attributes/score: NaN is no JSON number", "x"},
		"NaN before the id":           {`{"score": NaN, "id":"x","text":"t"}`, InvalidRecord, "at /score: NaN is no JSON number; write null", "x"},
		"Infinity":                    {`{"id":"x","text":"t","k":[1,Infinity]}`, InvalidRecord, "/k/1: Infinity is no JSON number", "x"},
		"-Infinity":                   {`{"id":"x","text":"t","k":-Infinity}`, InvalidRecord, "/k: -Infinity is no JSON number", "x"},
		"NaN as the text":             {`{"text":NaN,"id":7}`, InvalidRecord, "/text: NaN", "7"},
		"NaN as the record":           {`NaN`, InvalidRecord, "NaN is no JSON number", "s-1"},
		"None, as Python prints it":   {`{"id":"x","text":"t","k":None}`, InvalidRecord, "not JSON: at /k", "x"},
		"True":                        {`{"id":"x","text":"t","k":True}`, InvalidRecord, "not JSON: at /k", "x"},
		"undefined":                   {`{"id":"x","text":"t","k":undefined}`, InvalidRecord, "not JSON: at /k", "x"},
		"single quotes":               {`{'id': 'x', 'text': 'a, b: c'}`, InvalidRecord, "not JSON", "s-1"},
		"a bare key":                  {`{id: "x", "text":"t"}`, InvalidRecord, "not JSON", "s-1"},
		"a comma too many":            {`{"id":"x","text":"t",}`, InvalidRecord, "not JSON", "x"},
		"a comma too many in a list":  {`{"id":"x","text":"t","k":[1,]}`, InvalidRecord, "not JSON: at /k", "x"},
		"leading zero":                {`{"id":"x","text":"t","k":01}`, InvalidRecord, "not JSON", "x"},
		"hexadecimal":                 {`{"id":"x","text":"t","k":0x1F}`, InvalidRecord, "not JSON", "x"},
		"no digits before the point":  {`{"id":"x","text":"t","k":.5}`, InvalidRecord, "not JSON: at /k", "x"},
		"a plus":                      {`{"id":"x","text":"t","k":+1}`, InvalidRecord, "not JSON: at /k", "x"},
		"an unknown escape":           {`{"id":"x","text":"C:\path"}`, InvalidRecord, "not JSON: at /text", "x"},
		"a short \\u":                 {`{"id":"x","text":"\u12"}`, InvalidRecord, "not JSON: at /text", "x"},
		"a line feed in a string":     {"{\"id\":\"x\",\"text\":\"a\nb\"}", InvalidRecord, "not JSON: at /text", "x"},
		"a NUL in a string":           {"{\"id\":\"x\",\"text\":\"a\x00b\"}", InvalidRecord, "not JSON: at /text", "x"},
		"a date":                      {`{"id":"x","text":"t","k":datetime.date(2026, 1, 2)}`, InvalidRecord, "not JSON: at /k", "x"},
		"a lone surrogate":            {`{"id":"x","text":"\ud83d"}`, BadUTF8, "surrogate", "x"},
		"a lone surrogate in a key":   {`{"id":"x","text":"t","\udc00":1}`, BadUTF8, "surrogate", "x"},
		"invalid UTF-8":               {"{\"id\":\"x\",\"text\":\"\xff\xfe\"}", BadUTF8, "UTF-8", "x"},
		"invalid UTF-8 in a key":      {"{\"id\":\"x\",\"text\":\"t\",\"\xc3\":1}", BadUTF8, "UTF-8", "x"},
		"invalid UTF-8 in no string":  {"{\"id\":\"x\",\"text\":\"t\",\"k\":\xff}", BadUTF8, "UTF-8", "x"},
		"a key twice":                 {`{"id":"x","text":"a","text":"b"}`, InvalidRecord, "twice at /text", "x"},
		"too deep":                    {`{"id":"x","text":"t","k":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, InvalidRecord, "depth", "x"},
		"text without brackets":       {`some text`, InvalidRecord, "not JSON", "s-1"},
		"an id out of double's range": {`{"id":1e999,"text":5}`, InvalidRecord, "text: want a string", "1e999"},
	} {
		payload := `{"shard":"s","records":[{"id":"before","text":"b"}, ` + c.raw + ` ,{"id":"after","text":"a"}],"dataset":"d"}`
		s, err := decodeJSON(embedSubject, payload)
		if err != nil || len(s.Records) != 3 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b, a := s.Records[0], s.Records[2]; b.ID != "before" || b.Text != "b" || b.Err != nil || a.ID != "after" || a.Text != "a" || a.Err != nil || s.Dataset != "d" {
			t.Errorf("%s: the neighbours are %+v and %+v", name, b, a)
		}
		if r := s.Records[1]; r.Err == nil || r.Err.Class != c.class || !strings.Contains(r.Err.Message, c.says) || r.ID != c.id {
			t.Errorf("%s: record %q, %v, want %q: %s: …%s…", name, r.ID, r.Err, c.id, c.class, c.says)
		}
	}
}

// Numbers that no float64 holds are text in attributes, as they are written.
func TestNumbersOutOfRangeKeepTheirText(t *testing.T) {
	s, err := decodeJSON(embedSubject, `{"records":[{"id":12345678901234567890123,"text":"t","k":1e999,"attributes":{"j":-0.1e-999}}]}`)
	if err != nil || s.Records[0].Err != nil || s.Records[0].ID != "12345678901234567890123" || s.Records[0].Attributes["k"] != "1e999" || s.Records[0].Attributes["j"] != "-0.1e-999" {
		t.Errorf("%+v, %v", s, err)
	}
}

// Where one record ends and the next begins must be certain: no record is swallowed by its neighbour.
func TestRecordsWithoutACertainEnd(t *testing.T) {
	for name, records := range map[string]string{
		"no closing quote":       `[{"id":"a","text":"x},{"id":"b","text":"y"}]`,
		"quotes within quotes":   `[{"id":"a","text":"x "y" z"},{"id":"b","text":"y"}]`,
		"no closing quote twice": `[{"id":"a","text":"x},{"id":"b","text":"y}]`,
		"no closing bracket":     `[{"id":"a","text":"x",{"id":"b","text":"y"}]`,
		"no bracket, no comma":   `[{"id":"a","text":"x"{"id":"b","text":"y"}]`,
		"the wrong bracket":      `[{"id":"a","text":"x"],{"id":"b","text":"y"}]`,
		"no comma":               `[{"id":"a","text":"x"} {"id":"b","text":"y"}]`,
		"nothing after a comma":  `[{"id":"a","text":"x"},]`,
		"two commas":             `[{"id":"a","text":"x"},,{"id":"b","text":"y"}]`,
		"no end":                 `[{"id":"a","text":"x"},{"id":"b","text":"y"}`,
		"an escaped quote last":  `[{"id":"a","text":"x\"},{"id":"b","text":"y"}]`,
	} {
		s, err := decodeJSON(embedSubject, `{"records":`+records+`,"dataset":"d"}`)
		if err == nil || !strings.Contains(err.Error(), "not JSON") {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestPayloadsThatAreNotJSONAreCalledThat(t *testing.T) {
	for payload, want := range map[string]string{
		"this is a text":                 `the payload is not JSON: it begins with "this is a text"; send header Content-Type: text/plain if it is a text`,
		"nothing":                        "the payload is not JSON: it begins with \"nothing\"",
		"- a list":                       "the payload is not JSON",
		"42 is the answer":               "the payload is not JSON",
		"\"Quoted\", he said":            "the payload is not JSON",
		"[INFO] started":                 "the payload is not JSON",
		"":                               "the payload is not JSON: it is empty",
		" \n":                            "the payload is not JSON: it is empty",
		"\ufeff{\"records\":[]}":         "byte order mark",
		"\x1f\x8b\x08\x00abc\xff":        "not UTF-8, and begins with bytes 1f 8b 08 00",
		"{name}":                         "the payload is not JSON: a key is missing at byte 1",
		"{\"records\" [1]}":              "the payload is not JSON: a colon is missing",
		"{\"records\":[1] \"job\":\"j\"": "the payload is not JSON: neither a comma",
		"{\"records\":[{\"text\":":       "records[0]: it ends too early, at byte 20",
		"{'records': []}":                "the payload is not JSON: a key is missing",
		"null":                           "the payload is null, not a JSON object",
		"[1]":                            "the payload is an array, not a JSON object",
		"{\"params\":{\"a\":NaN},\"records\":[1]}": "params: not JSON: at /a: NaN is no JSON number; write null or a string",
	} {
		if _, err := decodeJSON(embedSubject, payload); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", payload, err, want)
		}
	}
}

// FuzzExtent: of JSON, the scanner finds the same values as a strict reader.
func FuzzExtent(f *testing.F) {
	for _, s := range []string{`[{"a":"b\\\"c"},[1,-2e3,[]],"x",null,{}]`, `[ "\u005d" , {"a":{"b":[{"c":"]}"}]}} ]`, `[]`, `[NaN]`, `[{"a":"b" c}]`, `["a\\"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanner{data: data}
		var found [][]byte
		var err error
		if !s.take('[') {
			return
		}
		for more := s.peek() != ']'; more && err == nil; more = s.take(',') {
			var v []byte
			if v, err = s.value(); err == nil {
				found = append(found, v)
			}
		}
		if err == nil && !s.take(']') {
			err = s.fail("no end")
		}
		dec := jsontext.NewDecoder(bytes.NewBuffer(data), anyNames, anyUTF8)
		array, strict := dec.ReadValue()
		if strict != nil {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		i := 0
		if err := eachElement(array, "array", func(v jsontext.Value) error {
			if i == len(found) || !bytes.Equal(found[i], v) {
				t.Fatalf("%q: found %q", data, found)
			}
			i++
			return nil
		}); err == nil && i != len(found) {
			t.Fatalf("%q: found %q", data, found)
		}
	})
}
