package local

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// Answer is one line of output.
type Answer struct {
	Line   []byte
	Failed bool
}

// Answers writes answers and counts them.
type Answers struct {
	w             *bufio.Writer
	Lines, Failed int
}

// NewAnswers writes to w.
func NewAnswers(w io.Writer) *Answers {
	return &Answers{w: bufio.NewWriterSize(w, 64<<10)}
}

// Write takes the next answer.
func (a *Answers) Write(one Answer) error {
	a.Lines++
	if one.Failed {
		a.Failed++
	}
	if _, err := a.w.Write(append(one.Line, '\n')); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

// Flush lets the reader see what was written.
func (a *Answers) Flush() error {
	if err := a.w.Flush(); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

// Failure answers work that has no result.
func Failure(id string, err *jobs.RecordError) Answer {
	return Answer{Line: errorAnswer(id, err), Failed: true}
}

// errorAnswer is the line that stands in a result's place.
func errorAnswer(id string, err *jobs.RecordError) []byte {
	b := AppendString([]byte(`{"id":`), id)
	b = AppendString(append(b, `,"error":`...), err.String())
	return append(b, '}')
}

// AppendString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func AppendString(b []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(b, s)
	if err == nil {
		return quoted
	}
	quoted, err = jsontext.AppendQuote(b, string([]rune(s)))
	if err != nil {
		return append(b, `""`...)
	}
	return quoted
}

// AppendInts appends a list of numbers.
func AppendInts[T int8 | int16 | int32](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

// AppendFloats writes the shortest numbers that read back as the same float32.
func AppendFloats(b []byte, list []float32) []byte {
	b = append(b, '[')
	for i, f := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}
