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

// line is one line of JSONL input, or one text of the command line.
type line struct {
	index   int
	raw     []byte
	text    string // of the command line
	isText  bool
	tooLong bool
}

// id is what the answer is called when the line gives no id.
func (l line) id() string { return strconv.Itoa(l.index) }

// record reads the line as a record of a task; what is wrong with it is in its Err.
func (l line) record(task string, maxBytes int) jobs.Record {
	var r jobs.Record
	switch {
	case l.isText && !utf8.ValidString(l.text):
		r.Err = &jobs.RecordError{Class: jobs.BadUTF8, Message: "the text is not valid UTF-8"}
	case l.isText:
		r.Text = l.text
	case l.tooLong:
		r.Err = l.longer()
	default:
		r = jobs.ParseRecord(l.raw)
	}
	if r.ID == "" {
		r.ID = l.id()
	}
	r.Check(task, jobs.Limits{RecordBytes: maxBytes})
	return r
}

func (l line) longer() *jobs.RecordError {
	return &jobs.RecordError{Class: jobs.TooLong, Message: fmt.Sprintf("line %d is longer than limits.record_bytes allows", l.index+1)}
}

// Texts says what a command works on: its arguments, or without any the lines of In.
type Texts struct {
	Args []string
	In   io.Reader
}

// level is how loud the count of answers is: who typed a few texts sees them all, unless something is wrong.
func (t Texts) level(failed int) slog.Level {
	switch {
	case failed > 0:
		return slog.LevelWarn
	case len(t.Args) > 0:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// each calls f for every text or line in order. A line's bytes are f's to keep. Lines of more than six times maxBytes
// (JSON's longest way to write a byte) are cut off and marked.
func (t Texts) each(ctx context.Context, maxBytes int, f func(line) error) error {
	for i, text := range t.Args {
		if err := f(line{index: i, text: text, isText: true}); err != nil {
			return err
		}
	}
	if len(t.Args) > 0 {
		return nil
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
		if err := f(line{index: i, raw: raw, tooLong: tooLong}); err != nil {
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
