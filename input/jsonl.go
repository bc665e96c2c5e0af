package input

import (
	"bytes"

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
	keys    *keys  // nil: those of a job message
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
		if s.keys != nil {
			it.Record = s.keys.record(piece)
		} else {
			it.Record = jobs.ParseRecord(piece)
		}
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

// nameLine puts the line into the record's error.
func nameLine(it *Item) {
	if e := it.Record.Err; e != nil {
		it.Record.Err = lineError(e.Class, it.Line, "%s", e.Message)
	}
}
