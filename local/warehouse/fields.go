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
	"text":             nullText(func(r *export.Row) export.Null[string] { return r.Text }),
	"error":            textOf(func(r *export.Row) string { return r.Error }),
	"output":           nullText(func(r *export.Row) export.Null[string] { return r.Output }),
	"finish_reason":    textOf(func(r *export.Row) string { return r.FinishReason }),
	"attributes":       putAttributes,
	"input_ids":        integersOf(func(r *export.Row) []int32 { return r.InputIDs }),
	"output_ids":       integersOf(func(r *export.Row) []int32 { return r.OutputIDs }),
	"n_tokens":         small(func(r *export.Row) export.Null[int32] { return r.NTokens }),
	"n_dropped":        small(func(r *export.Row) export.Null[int32] { return r.NDropped }),
	"dim":              small(func(r *export.Row) export.Null[int32] { return r.Dim }),
	"chunk":            small(func(r *export.Row) export.Null[int32] { return r.Chunk }),
	"chunk_start":      small(func(r *export.Row) export.Null[int32] { return r.ChunkStart }),
	"chunk_end":        small(func(r *export.Row) export.Null[int32] { return r.ChunkEnd }),
	"n_output_tokens":  small(func(r *export.Row) export.Null[int32] { return r.NOutputTokens }),
	"stream_sequence":  large(func(r *export.Row) export.Null[int64] { return r.StreamSequence }),
	"seed":             large(func(r *export.Row) export.Null[int64] { return r.Seed }),
	"truncated":        putTruncated,
	"norm":             putNorm,
	"embedding vector": func(to fields, r *export.Row) { putVector(to, numbersOf(r), fields.vector) },
	"embedding":        func(to fields, r *export.Row) { putVector(to, numbersOf(r), fields.floats) },
	"logprobs":         func(to fields, r *export.Row) { putVector(to, r.Logprobs, fields.floats) },
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

func textOf(get func(*export.Row) string) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if s := get(r); s != "" {
			to.text(s)
		} else {
			to.null()
		}
	}
}

func nullText(get func(*export.Row) export.Null[string]) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if s := get(r); s.Valid {
			to.text(s.V)
		} else {
			to.null()
		}
	}
}

func small(get func(*export.Row) export.Null[int32]) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if n := get(r); n.Valid {
			to.integer(int64(n.V), 4)
		} else {
			to.null()
		}
	}
}

func large(get func(*export.Row) export.Null[int64]) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if n := get(r); n.Valid {
			to.integer(n.V, 8)
		} else {
			to.null()
		}
	}
}

func integersOf(get func(*export.Row) []int32) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if v := get(r); v != nil {
			to.integers(v)
		} else {
			to.null()
		}
	}
}

func putVector(to fields, v []float32, put func(fields, []float32)) {
	if v == nil {
		to.null()
		return
	}
	put(to, v)
}

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

func putTruncated(to fields, r *export.Row) {
	if r.Truncated.Valid {
		to.boolean(r.Truncated.V)
	} else {
		to.null()
	}
}

func putNorm(to fields, r *export.Row) {
	if r.Norm.Valid {
		to.float(r.Norm.V)
	} else {
		to.null()
	}
}

func timeOf(get func(*export.Row) time.Time) func(fields, *export.Row) {
	return func(to fields, r *export.Row) {
		if t := get(r); t.IsZero() {
			to.null()
		} else {
			to.time(t)
		}
	}
}
