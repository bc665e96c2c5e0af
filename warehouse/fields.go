package warehouse

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"textmill/export"
)

// fields takes the fields of rows one after the other, in a form of PostgreSQL's COPY.
type fields interface {
	row(columns int)
	null()
	text(s string)
	json(s []byte)
	integer(v int64, bytes int)
	float(v float64)
	boolean(v bool)
	time(t time.Time)
	integers(v []int32)
	floats(v []float32)
	vector(v []float32)
	end() []byte // of all rows; what was written so far, where it is not the end, is taken
	taken() []byte
}

// puts says how each column of a row is put into fields.
var puts = map[string]func(to fields, r *export.Row){
	"row_key":          func(to fields, r *export.Row) { to.text(keyOf(r)) },
	"job":              textOf(func(r *export.Row) string { return r.Job }),
	"shard":            textOf(func(r *export.Row) string { return r.Shard }),
	"record_id":        func(to fields, r *export.Row) { to.text(r.RecordID) },
	"task":             textOf(func(r *export.Row) string { return r.Task }),
	"model":            textOf(func(r *export.Row) string { return r.Model }),
	"model_sha256":     textOf(func(r *export.Row) string { return r.ModelSHA256 }),
	"text":             nullable(func(r *export.Row) export.Null[string] { return r.Text }, fields.text),
	"error":            textOf(func(r *export.Row) string { return r.Error }),
	"output":           nullable(func(r *export.Row) export.Null[string] { return r.Output }, fields.text),
	"finish_reason":    textOf(func(r *export.Row) string { return r.FinishReason }),
	"attributes":       putAttributes,
	"input_ids":        listOf(func(r *export.Row) []int32 { return r.InputIDs }, fields.integers),
	"output_ids":       listOf(func(r *export.Row) []int32 { return r.OutputIDs }, fields.integers),
	"n_tokens":         nullable(func(r *export.Row) export.Null[int32] { return r.NTokens }, small),
	"n_dropped":        nullable(func(r *export.Row) export.Null[int32] { return r.NDropped }, small),
	"dim":              nullable(func(r *export.Row) export.Null[int32] { return r.Dim }, small),
	"chunk":            nullable(func(r *export.Row) export.Null[int32] { return r.Chunk }, small),
	"chunk_start":      nullable(func(r *export.Row) export.Null[int32] { return r.ChunkStart }, small),
	"chunk_end":        nullable(func(r *export.Row) export.Null[int32] { return r.ChunkEnd }, small),
	"n_output_tokens":  nullable(func(r *export.Row) export.Null[int32] { return r.NOutputTokens }, small),
	"stream_sequence":  nullable(func(r *export.Row) export.Null[int64] { return r.StreamSequence }, large),
	"seed":             nullable(func(r *export.Row) export.Null[int64] { return r.Seed }, large),
	"truncated":        nullable(func(r *export.Row) export.Null[bool] { return r.Truncated }, fields.boolean),
	"norm":             nullable(func(r *export.Row) export.Null[float64] { return r.Norm }, fields.float),
	"embedding vector": listOf(numbersOf, fields.vector),
	"embedding":        listOf(numbersOf, fields.floats),
	"logprobs":         listOf(func(r *export.Row) []float32 { return r.Logprobs }, fields.floats),
	"content_sha256":   textOf(func(r *export.Row) string { return r.ContentSHA256 }),
	"created_at":       timeOf(func(r *export.Row) time.Time { return r.CreatedAt }),
	"stream_created":   timeOf(func(r *export.Row) time.Time { return r.StreamCreated }),
}

// putOf is how a column of a table is put, nil where rows do not have it.
func putOf(c column) func(fields, *export.Row) {
	if c.vector {
		return puts["embedding vector"]
	}
	return puts[c.Name.text]
}

// nullable puts a value, or null where there is none.
func nullable[T any](get func(*export.Row) export.Null[T], put func(fields, T)) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if v := get(r); v.Valid {
			put(to, v.V)
		} else {
			to.null()
		}
	}
}

// listOf puts a list; one that is nil is null, an empty one is not.
func listOf[T any](get func(*export.Row) []T, put func(fields, []T)) func(fields, *export.Row) {
	return nullable(func(r *export.Row) export.Null[[]T] {
		v := get(r)
		return export.Null[[]T]{V: v, Valid: v != nil}
	}, put)
}

// textOf puts a text; an empty one is null.
func textOf(get func(*export.Row) string) func(fields, *export.Row) {
	return nullable(func(r *export.Row) export.Null[string] {
		s := get(r)
		return export.Null[string]{V: s, Valid: s != ""}
	}, fields.text)
}

func timeOf(get func(*export.Row) time.Time) func(fields, *export.Row) {
	return nullable(func(r *export.Row) export.Null[time.Time] {
		t := get(r)
		return export.Null[time.Time]{V: t, Valid: !t.IsZero()}
	}, fields.time)
}

func small(to fields, n int32) { to.integer(int64(n), 4) }

func large(to fields, n int64) { to.integer(n, 8) }

// numbersOf are a row's vector, whatever it is stored as.
func numbersOf(r *export.Row) []float32 {
	var v []float32
	for _, x := range r.Embedding8 {
		v = append(v, float32(x))
	}
	for _, x := range r.Embedding16 {
		v = append(v, float32(x))
	}
	if v == nil {
		v = r.Embedding
	}
	return v
}

func putAttributes(to fields, r *export.Row) {
	if r.Attributes == nil {
		to.null()
		return
	}
	clean := r.Attributes
	if hasZero(clean) {
		clean = make(map[string]string, len(r.Attributes))
		for k, v := range r.Attributes {
			clean[withoutZero(k)] = withoutZero(v)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(clean); err != nil {
		panic(err) // text to text always marshals
	}
	to.json(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func hasZero(m map[string]string) bool {
	for k, v := range m {
		if strings.ContainsRune(k, 0) || strings.ContainsRune(v, 0) {
			return true
		}
	}
	return false
}

// zeroStands is what a zero character becomes, which PostgreSQL's texts cannot hold.
const zeroStands = "\uFFFD"

func withoutZero(s string) string { return strings.ReplaceAll(s, "\x00", zeroStands) }
