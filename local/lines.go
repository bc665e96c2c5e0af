package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"unicode/utf8"

	"textmill/jobs"
)

// Line is one line of JSONL input, or one text of the command line.
type Line struct {
	Index   int
	Raw     []byte
	Text    string // of the command line
	IsText  bool
	TooLong bool
	Given   *jobs.Record // of an input that is read as submit reads it
}

// size is about how many bytes the line's text has.
func (l Line) size() int {
	if l.Given != nil {
		return len(l.Given.Text)
	}
	return len(l.Raw) + len(l.Text)
}

// ID is what the answer is called when the line gives no id.
func (l Line) ID() string { return strconv.Itoa(l.Index) }

// Record reads the line as a record of a task; what is wrong with it is in its Err.
func (l Line) Record(task string, maxBytes int) jobs.Record {
	var r jobs.Record
	switch {
	case l.Given != nil:
		r = *l.Given
	case l.IsText && !utf8.ValidString(l.Text):
		r.Err = &jobs.RecordError{Class: jobs.BadUTF8, Message: "the text is not valid UTF-8"}
	case l.IsText:
		r.Text = l.Text
	case l.TooLong:
		r.Err = l.Longer()
	default:
		r = jobs.ParseRecord(l.Raw)
	}
	if r.ID == "" {
		r.ID = l.ID()
	}
	r.Check(task, jobs.Limits{RecordBytes: maxBytes})
	return r
}

// Longer is the error of a line that is too long.
func (l Line) Longer() *jobs.RecordError {
	return &jobs.RecordError{Class: jobs.TooLong,
		Message: fmt.Sprintf("line %d is longer than limits.record_bytes allows", l.Index+1)}
}

// Texts says what a command works on: its arguments, or without any the lines of In; or records, read as submit reads
// them, where Records is set.
type Texts struct {
	Args    []string
	In      io.Reader
	Records *Records
}

// Level is how loud the count of answers is: who typed a few texts sees them all, unless something is wrong.
func (t Texts) Level(failed int) slog.Level {
	switch {
	case failed > 0:
		return slog.LevelWarn
	case len(t.Args) > 0:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// Each calls f for every text or line in order. A line's bytes are f's to keep. Lines of more than six times maxBytes
// (JSON's longest way to write a byte) are cut off and marked.
func (t Texts) Each(ctx context.Context, maxBytes int, f func(Line) error) error {
	for i, text := range t.Args {
		if err := f(Line{Index: i, Text: text, IsText: true}); err != nil {
			return err
		}
	}
	if len(t.Args) > 0 {
		return nil
	}
	if t.Records != nil {
		return t.Records.each(ctx, t.In, maxBytes, f)
	}
	r := bufio.NewReaderSize(t.In, 64<<10)
	for i := 0; ; i++ {
		raw, tooLong, err := readLine(r, 6*maxBytes+4096)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the input: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := f(Line{Index: i, Raw: raw, TooLong: tooLong}); err != nil {
			return err
		}
	}
}

// readLine returns the next line without its end. Of a line beyond limit only tooLong is told.
func readLine(r *bufio.Reader, limit int) (raw []byte, tooLong bool, err error) {
	for {
		piece, more, err := r.ReadLine()
		if err != nil {
			return nil, false, err
		}
		if tooLong = tooLong || len(raw)+len(piece) > limit; tooLong {
			raw = nil
		} else {
			raw = append(raw, piece...)
		}
		if !more {
			return bytes.TrimSpace(raw), tooLong, nil
		}
	}
}
