package embedding

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"textmill/jobs"
	"textmill/tokenize"
	"textmill/work/rows"
)

// item is one row of a batch: a whole record or one chunk of it.
type item struct {
	rec        *record
	ids, types []int32
	chunk      int    // position among the record's chunks
	start, end int32  // characters of the record's text that the item covers
	text       string // the same of the text, of a chunk
	dropped    int    // tokens of the text that no row holds
}

// scratch is one tokenizing goroutine's reusable memory.
type scratch struct {
	ids   []int32
	spans []tokenize.Span
	body  []int32

	records int // that it was used for
}

// encode tokenizes a record whole, then truncates or chunks its tokens as its
// plan says. The items own their memory.
func (e *Engine) encode(s *scratch, r *record) ([]*item, *jobs.RecordError) {
	p, text := r.task.Plan, r.task.Record.Text
	prompted := p.Prompt + text
	if e.opts.Spec.Lowercase {
		prompted = strings.ToLower(prompted)
	}
	var err error
	if s.ids, s.spans, err = e.tok.AppendBody(s.ids[:0], s.spans[:0], prompted); err != nil {
		return nil, tokenizeFailure(err)
	}
	room := p.MaxLength - e.tok.NumSpecial()
	if p.ChunkSize > 0 {
		return e.chunks(s, r)
	}
	whole := len(s.ids)
	dropped := max(whole-room, 0)
	body := s.ids[:whole-dropped]
	if p.truncate == truncateLeft {
		body = s.ids[dropped:]
	} else if cut, ok := e.opts.Spec.CutChars(prompted, p.MaxLength); ok {
		if dropped, err = e.cutBefore(s, cut, room); err != nil {
			return nil, tokenizeFailure(err)
		}
		body = s.ids
	}
	if dropped > 0 && p.truncate == truncateError {
		return nil, &jobs.RecordError{Class: jobs.TooLong, Message: fmt.Sprintf(
			"text: %d tokens exceed max_length %d; shorten it, or set truncate to right or left, or chunk_size",
			whole+e.tok.NumSpecial(), p.MaxLength)}
	}
	return []*item{e.newItem(r, body, 0, 0, int32(utf8.RuneCountInString(text)), dropped)}, nil
}

// cutBefore has s hold the tokens of a text that was cut before it was tokenized, room of them at most, in place of
// the whole one's, and counts those of the whole that are not among them: at the cut a word may have come to others.
func (e *Engine) cutBefore(s *scratch, cut string, room int) (dropped int, err error) {
	s.body = append(s.body[:0], s.ids...)
	if s.ids, s.spans, err = e.tok.AppendBody(s.ids[:0], s.spans[:0], cut); err != nil {
		return 0, err
	}
	s.ids = s.ids[:min(len(s.ids), room)]
	kept := 0
	for kept < min(len(s.ids), len(s.body)) && s.ids[kept] == s.body[kept] {
		kept++
	}
	return len(s.body) - kept, nil
}

func tokenizeFailure(err error) *jobs.RecordError {
	var own *jobs.RecordError
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, ErrUnavailable):
		return unavailable
	}
	return &jobs.RecordError{Class: jobs.InvalidRecord, Message: "text: " + err.Error()}
}

// chunks cuts the tokens of a record into rows of at most chunkSize tokens,
// specials and prompt counted, each beginning chunkOverlap tokens before the
// end of the one before. Every chunk begins with the prompt's tokens.
func (e *Engine) chunks(s *scratch, r *record) ([]*item, *jobs.RecordError) {
	p := r.task.Plan
	promptChars := int32(utf8.RuneCountInString(p.Prompt))
	lead := 0
	for lead < len(s.ids) && s.spans[lead].End <= promptChars && promptChars > 0 {
		lead++
	}
	prompt, body, spans := s.ids[:lead], s.ids[lead:], s.spans[lead:]
	size := p.ChunkSize - e.tok.NumSpecial() - len(prompt)
	if size <= p.ChunkOverlap {
		return nil, &jobs.RecordError{Class: jobs.InvalidParam, Message: fmt.Sprintf(
			"chunk_size %d leaves %d tokens a chunk after specials and prompt, not more than chunk_overlap %d",
			p.ChunkSize, size, p.ChunkOverlap)}
	}
	if len(body) == 0 {
		return []*item{e.newItem(r, prompt, 0, 0, 0, 0)}, nil
	}
	var items []*item
	text := cursor{text: r.task.Record.Text}
	for from := 0; ; from += size - p.ChunkOverlap {
		to := min(from+size, len(body))
		s.body = append(append(s.body[:0], prompt...), body[from:to]...)
		start := max(spans[from].Start-promptChars, 0)
		end := max(spans[to-1].End-promptChars, start)
		it := e.newItem(r, s.body, len(items), start, end, 0)
		it.text = text.slice(start, end)
		items = append(items, it)
		if to == len(body) {
			return items, nil
		}
	}
}

// cursor finds characters of a text by their numbers, which mostly rise.
type cursor struct {
	text     string
	char, at int32 // where the last search ended, in characters and bytes
}

// slice is the text from character start up to end, which is not before it.
func (c *cursor) slice(start, end int32) string {
	from := c.seek(start)
	begun := *c
	to := c.seek(end)
	*c = begun // the next chunk may overlap
	return c.text[from:to]
}

func (c *cursor) seek(char int32) int32 {
	if char < c.char {
		c.char, c.at = 0, 0
	}
	for ; c.char < char && int(c.at) < len(c.text); c.char++ {
		_, size := utf8.DecodeRuneInString(c.text[c.at:])
		c.at += int32(size)
	}
	return c.at
}

func (e *Engine) newItem(r *record, body []int32, chunk int, start, end int32, dropped int) *item {
	n := len(body) + e.tok.NumSpecial()
	it := &item{rec: r, chunk: chunk, start: start, end: end, dropped: dropped}
	it.ids, it.types = e.tok.AppendInput(make([]int32, 0, n), make([]int32, 0, n), body)
	return it
}

// cost is what a record takes of the window until it runs: its bytes, and
// something for its bookkeeping.
func cost(r jobs.Record) int64 { return int64(len(r.Text)) + 64 }

// lacksText says why a record cannot be embedded before it is tokenized.
func lacksText(r jobs.Record) *jobs.RecordError {
	switch {
	case r.Err != nil:
		return r.Err
	case len(r.Messages) > 0:
		return &jobs.RecordError{Class: jobs.InvalidRecord,
			Message: "messages: an embedding model takes text; send \"text\""}
	}
	return rows.BadUTF8("text", r.Text)
}
