package jobs

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

// Record is one text to work on. A record that cannot be used has Err set and
// still becomes a row: its neighbours are unharmed.
type Record struct {
	ID         string // "" until Decode or the reader of an input gives it one
	Text       string
	Messages   []ChatMessage
	Attributes map[string]string
	Params     []byte // JSON object that replaces params of the shard, for the task generate; nil = none
	Err        *RecordError
	Placed     bool // it came without an id, which says its place now
}

// ChatMessage is one turn of a conversation.
type ChatMessage struct{ Role, Content string }

// ParseRecord reads one record. It never fails: what is wrong with it is in Err,
// and its id is kept where it can be read. Keys other than id, text, messages,
// attributes, params and error become attributes.
func ParseRecord(raw []byte) Record {
	var p recordParser
	return p.parse(raw)
}

// recordParser reuses one decoder for all records of a shard.
type recordParser struct {
	dec *jsontext.Decoder
	buf bytes.Buffer
}

func (p *recordParser) reset(raw []byte, opts ...jsontext.Options) {
	p.buf = *bytes.NewBuffer(raw)
	if p.dec == nil {
		p.dec = jsontext.NewDecoder(&p.buf, opts...)
		return
	}
	p.dec.Reset(&p.buf, opts...)
}

func (p *recordParser) parse(raw []byte) Record {
	var r Record
	p.reset(raw)
	err := p.object(&r)
	if err == nil {
		return r
	}
	var bad *RecordError
	if !errors.As(err, &bad) {
		bad = p.classify(raw, err)
	}
	return Record{ID: p.rescueID(raw), Err: bad}
}

// otherThanObject tells JSON of another kind from a text that only begins like it.
func (p *recordParser) otherThanObject(kind jsontext.Kind) error {
	_, err := p.dec.ReadValue()
	if err == nil {
		if _, err = p.dec.ReadToken(); err == nil {
			return recordErrorf(InvalidRecord, "not JSON: it goes on after %s", kindName(kind))
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return recordErrorf(InvalidRecord, "want an object, have %s", kindName(kind))
}

func (p *recordParser) object(r *Record) error {
	if kind := p.dec.PeekKind(); kind != '{' && kind != 0 {
		return p.otherThanObject(kind)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	var f recordFields
	for p.dec.PeekKind() == '"' {
		key, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		name := key.String()
		v, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f.field(r, name, v); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil { // "}"
		return err
	}
	switch _, err := p.dec.ReadToken(); {
	case err == nil:
		return recordErrorf(InvalidRecord, "more follows the object")
	case !errors.Is(err, io.EOF):
		return err
	}
	return f.finish(r)
}

// recordFields remembers what an object held beside the record's own fields.
type recordFields struct {
	text, messages, failed bool
	extra                  map[string]string
}

func (f *recordFields) field(r *Record, name string, v jsontext.Value) (err error) {
	switch name {
	case "id":
		switch v.Kind() {
		case '"':
			r.ID = unquote(v)
		case '0':
			r.ID = string(v)
		case 'n':
		default:
			return recordErrorf(InvalidRecord, "id: want a string or a number, have %s", kindName(v.Kind()))
		}
	case "text":
		if v.Kind() == 'n' {
			return nil
		}
		if v.Kind() != '"' {
			return recordErrorf(InvalidRecord, "text: want a string, have %s", kindName(v.Kind()))
		}
		r.Text, f.text = unquote(v), true
	case "messages":
		if v.Kind() == 'n' {
			return nil
		}
		f.messages = true
		r.Messages, err = parseMessages(v)
		return err
	case "attributes":
		r.Attributes, err = parseAttributes(v)
		return err
	case "params":
		switch v.Kind() {
		case 'n':
		case '{':
			r.Params = slices.Clone(v)
		default:
			return recordErrorf(InvalidRecord, "params: want an object, have %s", kindName(v.Kind()))
		}
	case "error":
		if v.Kind() != '"' {
			return f.addExtra(name, v)
		}
		r.Err, f.failed = ParseRecordError(unquote(v)), true
	default:
		return f.addExtra(name, v)
	}
	return nil
}

func (f *recordFields) addExtra(name string, v jsontext.Value) error {
	if f.extra == nil {
		f.extra = make(map[string]string)
	}
	f.extra[name] = jsonText(v)
	return nil
}

func (f *recordFields) finish(r *Record) error {
	for name, v := range f.extra {
		if _, taken := r.Attributes[name]; taken {
			return recordErrorf(InvalidRecord, "%q is given twice: as a key of the record and in attributes", clip(name))
		}
		if r.Attributes == nil {
			r.Attributes = make(map[string]string, len(f.extra))
		}
		r.Attributes[name] = v
	}
	switch {
	case f.failed:
		return nil
	case f.text && f.messages:
		return recordErrorf(InvalidRecord, "text and messages are both given; give one")
	case !f.text && !f.messages:
		return recordErrorf(InvalidRecord, "text is missing")
	}
	return nil
}

// Check sets Err on a record that its task or the limits do not allow. An
// over-long text is let go, so that it costs no memory downstream.
func (r *Record) Check(task string, l Limits) {
	if r.Err != nil {
		return
	}
	if task == naming.TaskEmbed && r.Messages != nil {
		r.Err = recordErrorf(InvalidRecord, "messages are for the task generate; embed takes text")
		return
	}
	if r.Params != nil {
		if r.Err = checkRecordParams(task, r.Params); r.Err != nil {
			return
		}
	}
	n := len(r.Text)
	for _, m := range r.Messages {
		n += len(m.Content)
	}
	if l.RecordBytes > 0 && n > l.RecordBytes {
		r.Err = recordErrorf(TooLong, "the record has %d bytes of text; at most %d are allowed", n, l.RecordBytes)
		r.Text, r.Messages = "", nil
	}
}

// checkRecordParams judges a record's own params but for what depends on the shard's.
func checkRecordParams(task string, raw []byte) *RecordError {
	if task == naming.TaskEmbed {
		return recordErrorf(InvalidParam, "params of one record are for the task generate; give those of embed with the job")
	}
	if _, err := ParseGenerateParams(raw); err != nil {
		return asParamError(err)
	}
	return nil
}

// AppendJSON appends the record as ParseRecord reads it, the same bytes for the
// same record.
func (r *Record) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if r.ID != "" {
		dst = append(appendQuoted(append(dst, `"id":`...), r.ID), ',')
	}
	switch {
	case r.Err != nil:
		dst = appendQuoted(append(dst, `"error":`...), r.Err.String())
	case r.Messages != nil:
		dst = append(dst, `"messages":[`...)
		for i, m := range r.Messages {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(append(dst, `{"role":`...), m.Role)
			dst = append(appendQuoted(append(dst, `,"content":`...), m.Content), '}')
		}
		dst = append(dst, ']')
	default:
		dst = appendQuoted(append(dst, `"text":`...), r.Text)
	}
	if r.Err == nil && r.Params != nil {
		dst = append(append(dst, `,"params":`...), r.Params...)
	}
	if len(r.Attributes) > 0 {
		names := make([]string, 0, len(r.Attributes))
		for name := range r.Attributes {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if i == 0 {
				dst = append(dst, `,"attributes":{`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendQuoted(append(appendQuoted(dst, name), ':'), r.Attributes[name])
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendQuoted appends s as a JSON string, with U+FFFD for what is not UTF-8.
func appendQuoted(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // AppendQuote fails on invalid UTF-8 only
		return append(dst, `""`...)
	}
	return out
}
