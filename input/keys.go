package input

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// keys says which keys of a JSON object make a record.
type keys struct {
	text       []piece
	template   bool // text comes of one
	id         string
	attributes []string // nil: all that are neither text nor id
}

// newKeys gives nil where records are written as jobs.ParseRecord reads them.
func newKeys(o Options) (*keys, error) {
	if o.TextColumn == "" && o.TextTemplate == "" && o.IDColumn == "" && o.AttributeColumns == nil {
		return nil, nil
	}
	text, err := o.pieces()
	return &keys{text: text, template: o.TextTemplate != "", id: o.idColumn(), attributes: o.AttributeColumns}, err
}

// find gives the member that a path names: the key of that very name, else, with the longest key that the path begins
// with before a dot and that holds an object, what the rest names in there. nil: there is none.
func find(fields []member, path string) *member {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		at := slices.IndexFunc(fields, func(m member) bool { return m.name == path[:end] })
		switch {
		case at < 0:
		case end == len(path):
			return &fields[at]
		default:
			if in := find(fields[at].open(), path[end+1:]); in != nil {
				return in
			}
		}
	}
	return nil
}

// open are the members of a member that is an object.
func (m *member) open() []member {
	if m.inner == nil && m.value[0] == '{' {
		m.inner, _ = members(m.value) // it is valid
	}
	return m.inner
}

// taken says that the member, or something in it, was used.
func (m *member) taken() bool {
	return m.used || slices.ContainsFunc(m.inner, func(in member) bool { return in.taken() })
}

// left is the member's value without what was used; nil: nothing is.
func (m *member) left() []byte {
	switch {
	case m.used:
		return nil
	case !m.taken():
		return m.value
	}
	var rest []byte
	for i := range m.inner {
		if v := m.inner[i].left(); v != nil {
			rest = appendMember(rest, m.inner[i].name, v)
		}
	}
	if rest == nil {
		return nil
	}
	return append(rest, '}')
}

// record reads one object. A key "text" or "id" that is not the chosen one is an attribute like any other.
func (k *keys) record(line []byte) jobs.Record {
	fields, err := members(line)
	if err != nil || !jsontext.Value(line).IsValid() {
		rec := jobs.ParseRecord(line) // says what is wrong with it
		rec.ID = leadingID(line, k.id)
		return rec
	}
	var object []byte
	id := find(fields, k.id)
	if id != nil {
		id.used = true
		object = appendMember(object, "id", id.value)
	}
	object, problem := k.appendText(object, fields)
	if problem != nil {
		rec := jobs.Record{Err: problem}
		if id != nil && (id.value[0] == '"' || jsontext.Value(id.value).Kind() == '0') {
			rec.ID = attributeText(id.value)
		}
		return rec
	}
	object, attributes := k.appendRest(object, fields)
	if object == nil {
		object = []byte{'{'}
	}
	rec := jobs.ParseRecord(append(object, '}'))
	if rec.Err != nil {
		if !k.template && k.text[0].column != "text" {
			rec.Err.Message += " (the text is read from the key " + strconv.Quote(k.text[0].column) + ")"
		}
		return rec
	}
	for name, value := range attributes {
		if rec.Attributes == nil {
			rec.Attributes = map[string]string{}
		}
		rec.Attributes[name] = value
	}
	return rec
}

// appendText adds the text to the object that is becoming the record.
func (k *keys) appendText(object []byte, fields []member) ([]byte, *jobs.RecordError) {
	if !k.template {
		if m := find(fields, k.text[0].column); m != nil {
			m.used = true
			object = appendMember(object, "text", m.value)
		}
		return object, nil
	}
	text, problem := fillIn(k.text, func(i int) (text, instead string) {
		m := find(fields, k.text[i].column)
		if m == nil {
			return "", "missing"
		}
		m.used = true
		if jsontext.Value(m.value).Kind() == 'n' {
			return "", "null"
		}
		return attributeText(m.value), ""
	})
	if problem != nil {
		return object, problem
	}
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return object, &jobs.RecordError{Class: jobs.BadUTF8, Message: "the template is not valid UTF-8"}
	}
	return appendMember(object, "text", quoted), nil
}

// appendRest adds what is left of the object, or what remains a record's own where attributes are named; those that
// jobs.ParseRecord would take for something else are given apart.
func (k *keys) appendRest(object []byte, fields []member) ([]byte, map[string]string) {
	apart := map[string]string{}
	for _, name := range k.attributes {
		if m := find(fields, name); m != nil {
			apart[name] = attributeText(m.value)
		}
	}
	for i := range fields {
		name, value := fields[i].name, fields[i].left()
		own := name == "messages" || name == "params" || name == "error"
		switch {
		case value == nil, k.attributes != nil && !own:
		case name == "text" || name == "id":
			apart[name] = attributeText(value)
		default:
			object = appendMember(object, name, value)
		}
	}
	return object, apart
}
