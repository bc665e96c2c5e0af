package input

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// lenient leaves the judgement of strings to jobs.ParseRecord, which names the class.
var lenient = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

var (
	errNotObject = errors.New("not a JSON object")
	errTrailing  = errors.New("more than one JSON value")
)

// member is one key of an object with its value as written.
type member struct {
	name  string
	value []byte
	inner []member // of an object, once somebody has looked into it
	used  bool     // as text or id
}

// members splits the JSON object that line holds.
func members(line []byte) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(line), lenient...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errors.Join(errNotObject, err)
	}
	var fields []member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		fields = append(fields, member{name: key, value: bytes.Clone(value)})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return fields, nil
}

// appendMember adds a key to the object that dst is becoming; the caller closes it.
func appendMember(dst []byte, name string, value []byte) []byte {
	if dst == nil {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	quoted, _ := jsontext.AppendQuote(dst, name) // a name that is not UTF-8 has U+FFFD, and the value keeps its place
	return append(append(quoted, ':'), value...)
}

// attributeText is a value as an attribute holds it: a string as it is, all else as JSON.
func attributeText(value []byte) string {
	if len(value) > 0 && value[0] == '"' {
		if s, err := jsontext.AppendUnquote(nil, value); err == nil {
			return string(s)
		}
	}
	return string(value)
}

// leadingID finds the value of the key id, or of the path that it is, in the first bytes of an object that is cut off.
func leadingID(head []byte, id string) string {
	return leading(jsontext.NewDecoder(bytes.NewReader(head), lenient...), id)
}

func leading(dec *jsontext.Decoder, path string) string {
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ""
	}
	for {
		tok, err := dec.ReadToken()
		if err != nil || tok.Kind() != '"' {
			return ""
		}
		name := tok.String()
		if rest, below := strings.CutPrefix(path, name+"."); below && dec.PeekKind() == '{' {
			if found := leading(dec, rest); found != "" {
				return found
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return ""
		}
		if name == path && value.IsValid() && len(value) <= longestKeptID &&
			(value[0] == '"' || value[0] == '-' || (value[0] >= '0' && value[0] <= '9')) {
			return attributeText(value)
		}
	}
}
