package input

import (
	"unicode/utf8"

	"textmill/jobs"
)

// textSource makes a record of each line; empty lines are skipped.
type textSource struct {
	lines *lineReader
	max   int
}

func (s *textSource) next(it *Item) error {
	for {
		piece, more, err := s.lines.next()
		if err != nil {
			return err
		}
		*it = Item{Line: s.lines.line}
		if more {
			rest, err := s.lines.skip()
			if err != nil {
				return err
			}
			it.Record.Err = tooLong(it.Line, int64(s.max)+rest, s.max)
			return nil
		}
		if piece = trimCR(piece); len(piece) == 0 {
			continue
		}
		if !utf8.Valid(piece) {
			it.Record.Err = lineError(jobs.BadUTF8, it.Line, "not valid UTF-8")
			return nil
		}
		it.Record.Text = string(piece)
		return nil
	}
}
