package input

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// openaiMode says which lines are requests of an OpenAI batch.
type openaiMode int

const (
	never  openaiMode = iota
	byKeys            // those with the keys of one
	always            // all; another line is an error
)

// jsonlSource makes a record, or for a batch request several, of each line; empty lines are skipped.
type jsonlSource struct {
	lines   *lineReader
	o       Options
	openai  openaiMode
	pending []Item // the further texts of a batch request
}

func (s *jsonlSource) next(it *Item) error {
	if len(s.pending) > 0 {
		*it = s.pending[0]
		s.pending = s.pending[1:]
		return nil
	}
	for {
		piece, more, err := s.lines.next()
		if err != nil {
			return err
		}
		*it = Item{Line: s.lines.line}
		if more {
			return s.overLong(it, piece)
		}
		if piece = bytes.TrimSpace(piece); len(piece) == 0 {
			continue
		}
		if s.openai == always || (s.openai == byKeys && looksLikeRequest(piece)) {
			s.pending = parseRequest(piece, it.Line)
			*it = s.pending[0]
			s.pending = s.pending[1:]
			return nil
		}
		it.Record = s.parse(piece)
		if it.Record.Err != nil && s.openai == byKeys && s.o.TextColumn == "" {
			if other := foreign(piece, it.Line); other != nil {
				*it = *other
				return nil
			}
		}
		if it.Record.Err != nil && it.Record.ID == "" && s.openai == byKeys {
			it.Record.ID = leadingID(piece, "custom_id")
		}
		nameLine(it)
		return nil
	}
}

// overLong makes the error of a line beyond the limit; the id is kept where it stands before the text.
func (s *jsonlSource) overLong(it *Item, piece []byte) error {
	it.Record.ID = leadingID(piece, s.o.idColumn())
	if it.Record.ID == "" && s.openai != never {
		it.Record.ID = leadingID(piece, "custom_id")
	}
	rest, err := s.lines.skip()
	if err != nil {
		return err
	}
	it.Record.Err = tooLong(it.Line, int64(s.o.MaxRecordBytes)+rest, s.o.MaxRecordBytes)
	return nil
}

// parse reads one object; with columns chosen, under those keys. A key "text" or "id" that is not the chosen
// one is an attribute like any other.
func (s *jsonlSource) parse(line []byte) jobs.Record {
	if s.o.TextColumn == "" && s.o.IDColumn == "" {
		return jobs.ParseRecord(line)
	}
	text, id := s.o.textColumn(), s.o.idColumn()
	fields, err := members(line)
	if err != nil || !jsontext.Value(line).IsValid(jsontext.AllowDuplicateNames(true)) {
		rec := jobs.ParseRecord(line) // says what is wrong with it
		rec.ID = leadingID(line, id)
		return rec
	}
	var renamed []byte
	var displaced []member
	for _, f := range fields {
		switch f.name {
		case text:
			renamed = appendMember(renamed, "text", f.value)
		case id:
			renamed = appendMember(renamed, "id", f.value)
		case "text", "id":
			displaced = append(displaced, f)
		default:
			renamed = appendMember(renamed, f.name, f.value)
		}
	}
	if renamed == nil {
		renamed = []byte{'{'}
	}
	rec := jobs.ParseRecord(append(renamed, '}'))
	if rec.Err != nil {
		if text != "text" {
			rec.Err.Message += " (the text is read from the key " + strconv.Quote(text) + ")"
		}
		return rec
	}
	for _, f := range displaced {
		if rec.Attributes == nil {
			rec.Attributes = map[string]string{}
		}
		rec.Attributes[f.name] = attributeText(f.value)
	}
	return rec
}

// nameLine puts the line into the record's error.
func nameLine(it *Item) {
	if e := it.Record.Err; e != nil {
		it.Record.Err = lineError(e.Class, it.Line, "%s", e.Message)
	}
}
