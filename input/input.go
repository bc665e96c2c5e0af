// Package input reads records out of JSONL, CSV, Parquet, text and OpenAI-batch files, whole or by range.
package input

import (
	"errors"
	"fmt"
	"io"

	"textmill/jobs"
)

// The formats of Options.Format. Empty means: by the file's name and first bytes.
const (
	JSONL       = jobs.FormatJSONL   //  one JSON object a line
	CSV         = jobs.FormatCSV     // RFC 4180 with a header
	TSV         = "tsv"              // the same, separated by tabs
	Text        = jobs.FormatText    // one record a line; empty lines are skipped
	Parquet     = jobs.FormatParquet // one record a row
	OpenAIBatch = "openai-batch"     // one request to /v1/embeddings or /v1/chat/completions a line
)

const (
	defaultRecordBytes = 16 << 20
	jobExpandedBytes   = 64 << 30
	maxZstdWindow      = 128 << 20
)

var (
	// ErrFormat: the input as a whole cannot be read as what it is said to be.
	ErrFormat = errors.New("input format")
	// ErrTooExpanded: a compressed input grew beyond Options.MaxExpandedBytes.
	ErrTooExpanded = errors.New("compressed input expands too far")
)

// Options says how to read an input. The zero value guesses the format.
type Options struct {
	Format string
	// TextColumn and IDColumn name the column or key of the text and the id ("" = "text" and "id"). A TextColumn that
	// is set must be there; so must an IDColumn. A name with dots is also a path into objects of JSON and structs of
	// Parquet, where nothing has that very name.
	TextColumn, IDColumn string
	// TextTemplate joins several columns to the text instead: see parseTemplate.
	TextTemplate string
	// AttributeColumns become attributes, under these names; nil = all columns, or what is left of them, that are
	// neither text nor id.
	AttributeColumns []string
	// MaxRecordBytes bounds a record as it is written (0 = 16 MiB). One beyond it is handed out as an
	// error too_long, with its id where that stands before the text.
	MaxRecordBytes int
	// MaxExpandedBytes bounds what a .gz or .zst input, and a page of a Parquet file, may grow to
	// (0 = no bound of the former, 256 MiB for the latter).
	MaxExpandedBytes int64
	// Read, when set, is told how many bytes were read of what a job's input points to, as they are read.
	Read func(bytes int)
}

// Item is one record and where it was found.
type Item struct {
	Record jobs.Record
	Line   int64 // line, or row of a Parquet file, at which it starts, from 1
	// Dimensions is the param of that name that the record asks for, 0 for none, and Task and Model are what it is
	// for; only OpenAI-batch lines name them.
	Dimensions int
	Task       string
	Model      string
}

// Reader hands out the records of one input in order. It holds one record, however long the input is.
// What is wrong with a record is in Item.Record.Err, and reading goes on.
type Reader struct {
	src     source
	format  string
	skipped []string
	leftOut string
	closes  []func() error
	atEnd   func() error
}

// source yields records until io.EOF; any other error ends the input.
type source interface {
	next(it *Item) error
}

// Next fills it with the next record; the end is io.EOF. Nothing in it is reused by later calls.
func (r *Reader) Next(it *Item) error {
	err := r.src.next(it)
	if errors.Is(err, io.EOF) && r.atEnd != nil {
		if changed := r.atEnd(); changed != nil {
			return changed
		}
	}
	return err
}

// Format is the format that is being read.
func (r *Reader) Format() string { return r.format }

// Skipped names the columns of a Parquet file that have no text form, and so become no attributes.
func (r *Reader) Skipped() []string { return r.skipped }

// LeftOut says why a whole file is no record; "" where it is one.
func (r *Reader) LeftOut() string { return r.leftOut }

// Close releases the input.
func (r *Reader) Close() error {
	var errs []error
	for i := len(r.closes) - 1; i >= 0; i-- {
		errs = append(errs, r.closes[i]())
	}
	r.closes = nil
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = defaultRecordBytes
	}
	return o
}

func (o Options) textColumn() string { return orElse(o.TextColumn, "text") }
func (o Options) idColumn() string   { return orElse(o.IDColumn, "id") }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func lineError(class string, line int64, format string, args ...any) *jobs.RecordError {
	return &jobs.RecordError{Class: class, Message: fmt.Sprintf("line %d: ", line) + fmt.Sprintf(format, args...)}
}

func tooLong(line, size int64, limit int) *jobs.RecordError {
	return lineError(jobs.TooLong, line, "the record has %d bytes, the limit is %d; split the text, or raise limits.record_bytes", size, limit)
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}
