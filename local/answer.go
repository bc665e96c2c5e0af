package local

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// answer is one line of output.
type answer struct {
	line   []byte
	failed bool
}

// answerWriter writes answers and counts them.
type answerWriter struct {
	w             *bufio.Writer
	lines, failed int
}

func newAnswerWriter(w io.Writer) *answerWriter {
	return &answerWriter{w: bufio.NewWriterSize(w, 64<<10)}
}

func (a *answerWriter) write(one answer) error {
	a.lines++
	if one.failed {
		a.failed++
	}
	if _, err := a.w.Write(append(one.line, '\n')); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

func (a *answerWriter) flush() error {
	if err := a.w.Flush(); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

// failure answers work that has no result.
func failure(id string, err *jobs.RecordError) answer {
	return answer{line: errorAnswer(id, err), failed: true}
}

// errorAnswer is the line that stands in a result's place.
func errorAnswer(id string, err *jobs.RecordError) []byte {
	b := appendString([]byte(`{"id":`), id)
	b = appendString(append(b, `,"error":`...), err.String())
	return append(b, '}')
}

// appendString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
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

func appendInts[T int8 | int16 | int32](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

// appendFloats writes the shortest numbers that read back as the same float32.
func appendFloats(b []byte, list []float32) []byte {
	b = append(b, '[')
	for i, f := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}
