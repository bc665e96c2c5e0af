// Package part writes result rows to Parquet files of one fixed schema and reads them back.
package part

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Null is a value that may be absent; the zero Null is absent.
type Null[T any] struct {
	V     T
	Valid bool
}

// Some returns a present value.
func Some[T any](v T) Null[T] { return Null[T]{V: v, Valid: true} }

func (n *Null[T]) ptr() *T {
	if !n.Valid {
		return nil
	}
	return &n.V
}

// Embedding is the element type of a table's embedding column.
type Embedding int

const (
	Float32 Embedding = iota // precision float32
	Int8                     // precision int8 and binary
	Int16                    // precision uint8 and ubinary
)

// DeltaType is the element type in Delta's words.
func (e Embedding) DeltaType() string { return [...]string{"float", "byte", "short"}[e] }

func (e Embedding) String() string { return "list<" + e.DeltaType() + ">" }

func (e Embedding) valid() bool { return e >= Float32 && e <= Int16 }

// Row is one row of a table. Plain strings are null when empty, nil slices and maps are null, and of the three
// embedding fields only the one of the table's element type may be set. A Row may be reused once the call that took it
// has returned.
type Row struct {
	Job            string
	Shard          string
	RecordID       string
	Task           string
	Model          string
	ModelSHA256    string
	Text           Null[string]
	Error          string
	Output         Null[string]
	FinishReason   string
	Attributes     map[string]string
	InputIDs       []int32
	OutputIDs      []int32
	NTokens        Null[int32]
	NDropped       Null[int32]
	Dim            Null[int32]
	Chunk          Null[int32]
	ChunkStart     Null[int32]
	ChunkEnd       Null[int32]
	NOutputTokens  Null[int32]
	StreamSequence Null[int64]
	Seed           Null[int64]
	Truncated      Null[bool]
	Norm           Null[float64]
	Embedding      []float32
	Embedding8     []int8
	Embedding16    []int16
	Logprobs       []float32
	CreatedAt      time.Time
	ContentSHA256  string    // what the row was made of; see jobs.Contents
	StreamCreated  time.Time // of the stream that StreamSequence counts in

	// Unnamed is no column: RecordID is the record's place in its message, by which nothing is told apart.
	Unnamed bool
}

// ErrRow is the class of rows that the table cannot hold.
var ErrRow = errors.New("row does not fit the table")

// check refuses what a warehouse could not read: one string that is not UTF-8 makes a whole column unreadable.
func (r *Row) check(kind Embedding) error {
	for _, f := range [...]struct{ name, value string }{
		{"job", r.Job}, {"shard", r.Shard}, {"record_id", r.RecordID}, {"task", r.Task}, {"model", r.Model},
		{"model_sha256", r.ModelSHA256}, {"text", r.Text.V}, {"error", r.Error}, {"output", r.Output.V},
		{"finish_reason", r.FinishReason}, {"content_sha256", r.ContentSHA256},
	} {
		if !utf8.ValidString(f.value) {
			return fmt.Errorf("%w: %s of record %q is not UTF-8", ErrRow, f.name, strings.ToValidUTF8(r.RecordID, "\uFFFD"))
		}
	}
	for k, v := range r.Attributes {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: attribute %q of record %q is not UTF-8", ErrRow, strings.ToValidUTF8(k, "\uFFFD"),
				r.RecordID)
		}
	}
	if r.Embedding != nil && kind != Float32 || r.Embedding8 != nil && kind != Int8 || r.Embedding16 != nil &&
		kind != Int16 {
		return fmt.Errorf("%w: the embedding of record %q is not %s", ErrRow, r.RecordID, kind)
	}
	for _, f := range [...]struct {
		name string
		at   time.Time
	}{{"created_at", r.CreatedAt}, {"stream_created", r.StreamCreated}} {
		if us := f.at.UnixMicro(); !f.at.IsZero() && (us < minMicros || us > maxMicros) {
			return fmt.Errorf("%w: %s of record %q is out of range", ErrRow, f.name, r.RecordID)
		}
	}
	return nil
}

// The years 1 to 9999, what every reader can show.
const (
	minMicros = -62135596800000000
	maxMicros = 253402300799999999
)

// size is about how many bytes the row takes in a part before compression.
func (r *Row) size() int {
	n := 96 + len(r.RecordID) + len(r.Text.V) + len(r.Error) + len(r.Output.V) + len(r.Shard)/8
	for k, v := range r.Attributes {
		n += len(k) + len(v) + 10
	}
	return n + 4*(len(r.InputIDs)+len(r.OutputIDs)+len(r.Embedding)+len(r.Embedding8)+len(r.Embedding16)+len(r.Logprobs))
}
