package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"textmill/jobs"
	"textmill/local"
)

// decode answers {"id","input_ids"}, or on the command line a list of numbers, with its text. IDs that the
// tokenizer does not know are left out, as Hugging Face does.
func (t *textTokenizer) decode(l local.Line, skipSpecial bool) local.Answer {
	id, given, err := tokenIDs(l)
	if err != nil {
		return local.Failure(id, err)
	}
	ids := make([]int32, 0, len(given))
	for i, n := range given {
		switch {
		case n < 0 || n > math.MaxUint32:
			return local.Failure(id, &jobs.RecordError{Class: jobs.InvalidRecord,
				Message: fmt.Sprintf("input_ids[%d]: %d is not a token ID; they go from 0 to 4294967295", i, n)})
		case n <= math.MaxInt32: // no tokenizer has larger ones
			ids = append(ids, int32(n))
		}
	}
	b := local.AppendString([]byte(`{"id":`), id)
	b = local.AppendString(append(b, `,"text":`...), t.Decode(ids, skipSpecial))
	return local.Answer{Line: append(b, '}')}
}

// tokenIDs reads the line as a record to decode. The id is the best known even beside an error.
func tokenIDs(l local.Line) (id string, ids []int64, err *jobs.RecordError) {
	invalid := func(format string, args ...any) *jobs.RecordError {
		return &jobs.RecordError{Class: jobs.InvalidRecord, Message: fmt.Sprintf(format, args...)}
	}
	if l.TooLong {
		return l.ID(), nil, l.Longer()
	}
	if l.IsText {
		text := strings.Trim(strings.TrimSpace(l.Text), "[]")
		list := "[" + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), ",") + "]"
		if err := json.Unmarshal([]byte(list), &ids); err != nil {
			return l.ID(), nil, invalid("%q is not a list of token IDs such as \"101 7592 102\"", l.Text)
		}
		return l.ID(), ids, nil
	}
	if !utf8.Valid(l.Raw) {
		return l.ID(), nil, &jobs.RecordError{Class: jobs.BadUTF8, Message: "the line is not valid UTF-8"}
	}
	var fields struct {
		ID  json.RawMessage `json:"id"`
		IDs *[]int64        `json:"input_ids"`
	}
	d := json.NewDecoder(bytes.NewReader(l.Raw))
	failed := d.Decode(&fields)
	id = idText(fields.ID, l.ID())
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(failed, &wrong) && wrong.Field == "":
		return id, nil, invalid("line %d: %s found where an object such as {\"id\":\"a\",\"input_ids\":[101,102]} has to be",
			l.Index+1, wrong.Value)
	case errors.As(failed, &wrong):
		return id, nil, invalid("%s: %s found; it has to be a list of token IDs such as [101,102]", wrong.Field, wrong.Value)
	case failed != nil:
		return id, nil, invalid("line %d: %v", l.Index+1, failed)
	case fields.IDs == nil:
		return id, nil, invalid("input_ids is missing")
	}
	if _, err := d.Token(); err != io.EOF {
		return id, nil, invalid("line %d: more follows the object", l.Index+1)
	}
	return id, *fields.IDs, nil
}

// idText is a string's value or a number's text.
func idText(raw json.RawMessage, otherwise string) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && s != "" {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil && n != "" {
		return n.String()
	}
	return otherwise
}
