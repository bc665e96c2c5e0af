package jobs

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	anyUTF8  = jsontext.AllowInvalidUTF8(true)
	anyNames = jsontext.AllowDuplicateNames(true)
)

// classify says why strict reading of raw failed.
func (p *recordParser) classify(raw []byte, err error) *RecordError {
	v := jsontext.Value(raw)
	switch {
	case !utf8.Valid(raw):
		return recordErrorf(BadUTF8, "the record is not valid UTF-8")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return recordErrorf(InvalidRecord, "a key occurs twice at %s", pointerOf(err))
	case !v.IsValid(anyNames) && v.IsValid(anyNames, anyUTF8):
		return recordErrorf(BadUTF8, "a \\u escape is one half of a surrogate pair")
	}
	return recordErrorf(InvalidRecord, "not JSON: %s", whyNotJSON(raw))
}

// whyNotJSON says what raw breaks, and where.
func whyNotJSON(raw []byte) string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), anyNames, anyUTF8)
	_, err := dec.ReadValue()
	if err == nil {
		_, err = dec.ReadToken()
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	text, at := syntaxText(err), pointerOf(err)
	if s := (*jsontext.SyntacticError)(nil); errors.As(err, &s) {
		if word := wordAt(raw, int(s.ByteOffset)); slices.Contains(notNumbers, strings.TrimLeft(word, "+-")) {
			text = word + " is no JSON number; write null or a string"
		}
	}
	if at == "the top level" {
		return text
	}
	return "at " + at + ": " + text
}

// notNumbers are what Python's json.dumps and others write for numbers that JSON has no words for.
var notNumbers = []string{"NaN", "nan", "Infinity", "inf", "Inf", "INF", "NAN"}

// wordAt is the bare word that holds byte at.
func wordAt(raw []byte, at int) string {
	part := func(i int) bool {
		c := raw[i]
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+'
	}
	from, to := min(at, len(raw)), min(at, len(raw))
	for from > 0 && part(from-1) {
		from--
	}
	for to < len(raw) && part(to) {
		to++
	}
	return string(raw[from:to])
}

// rescueID finds the id of a record that is otherwise unusable; "" if it has none
// that can be read for certain.
func (p *recordParser) rescueID(raw []byte) string {
	s := scanner{data: raw}
	if !s.take('{') {
		return ""
	}
	id := ""
	for more := true; more; more = s.take(',') {
		name, err := s.key()
		if err != nil {
			return id
		}
		member, err := s.value()
		if err != nil {
			return id
		}
		v := jsontext.Value(member)
		if name != "id" || !v.IsValid() {
			continue
		}
		if id != "" {
			return ""
		}
		switch v.Kind() {
		case '"':
			id = unquote(v)
		case '0':
			id = string(v)
		}
	}
	return id
}

func parseMessages(v jsontext.Value) ([]ChatMessage, error) {
	var out []ChatMessage
	err := eachElement(v, "messages", func(e jsontext.Value) error {
		var m ChatMessage
		var role, content bool
		err := eachMember(e, "a message", func(name string, v jsontext.Value) error {
			if v.Kind() != '"' {
				return recordErrorf(InvalidRecord, "messages[%d].%s: want a string, have %s", len(out), name, kindName(v.Kind()))
			}
			switch name {
			case "role":
				m.Role, role = unquote(v), true
			case "content":
				m.Content, content = unquote(v), true
			default:
				return recordErrorf(InvalidRecord, "messages[%d]: unknown key %q; a message has role and content", len(out),
					clip(name))
			}
			return nil
		})
		if err == nil && !(role && content) {
			err = recordErrorf(InvalidRecord, "messages[%d]: role and content are both needed", len(out))
		}
		if err == nil && m.Role == "" { // which roles there are, the model's chat template decides
			err = recordErrorf(InvalidRecord, "messages[%d].role: the string is empty", len(out))
		}
		out = append(out, m)
		return err
	})
	if err == nil && len(out) == 0 {
		err = recordErrorf(InvalidRecord, "messages is empty")
	}
	return out, err
}

func parseAttributes(v jsontext.Value) (map[string]string, error) {
	if v.Kind() == 'n' {
		return nil, nil
	}
	out := make(map[string]string)
	err := eachMember(v, "attributes", func(name string, v jsontext.Value) error {
		out[name] = jsonText(v)
		return nil
	})
	return out, err
}

// eachMember calls f for each member of the object v, in order; v holds valid JSON.
func eachMember(v jsontext.Value, what string, f func(name string, v jsontext.Value) error) error {
	if v.Kind() != '{' {
		return recordErrorf(InvalidRecord, "%s: want an object, have %s", what, kindName(v.Kind()))
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := key.String()
		m, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(name, m); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// eachElement calls f for each element of the array v, in order; v holds valid JSON.
func eachElement(v jsontext.Value, what string, f func(v jsontext.Value) error) error {
	if v.Kind() != '[' {
		return recordErrorf(InvalidRecord, "%s: want an array, have %s", what, kindName(v.Kind()))
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		e, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(e); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// jsonText is a string's content, or any other value's JSON text.
func jsonText(v jsontext.Value) string {
	if v.Kind() == '"' {
		return unquote(v)
	}
	return string(v)
}

// unquote takes a JSON string that is known to be valid.
func unquote(v jsontext.Value) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	out, err := jsontext.AppendUnquote(make([]byte, 0, len(v)), v)
	if err != nil {
		return string(out)
	}
	return string(out)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "no JSON value"
}

// syntaxText says where JSON is broken without repeating what a publisher sent.
func syntaxText(err error) string {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return "it ends too early"
		}
		return syntax.Err.Error() + " at byte " + formatInt(syntax.ByteOffset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return err.Error()
}

func pointerOf(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.JSONPointer != "" {
		return string(syntax.JSONPointer)
	}
	return "the top level"
}
