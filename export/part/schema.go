package part

import (
	"encoding/json"
	"fmt"
	"time"
)

// record is a Row as it lies in Parquet: the order and types of the columns are a contract. The embedding's compression is
// left to the writer, which knows its type.
type record[E float32 | int8 | int16] struct {
	Job            *string           `parquet:"job,optional,dict,zstd"`
	Shard          *string           `parquet:"shard,optional,dict,zstd"`
	RecordID       *string           `parquet:"record_id,optional,plain,zstd"`
	Task           *string           `parquet:"task,optional,dict,zstd"`
	Model          *string           `parquet:"model,optional,dict,zstd"`
	ModelSHA256    *string           `parquet:"model_sha256,optional,dict,zstd"`
	Text           *string           `parquet:"text,optional,plain,zstd"`
	Error          *string           `parquet:"error,optional,dict,zstd"`
	Output         *string           `parquet:"output,optional,plain,zstd"`
	FinishReason   *string           `parquet:"finish_reason,optional,dict,zstd"`
	Attributes     map[string]string `parquet:"attributes,optional" parquet-key:",plain,zstd" parquet-value:",plain,zstd"`
	InputIDs       []int32           `parquet:"input_ids,optional,list,plain,zstd"`
	OutputIDs      []int32           `parquet:"output_ids,optional,list,plain,zstd"`
	NTokens        *int32            `parquet:"n_tokens,optional,plain,zstd"`
	NDropped       *int32            `parquet:"n_dropped,optional,plain,zstd"`
	Dim            *int32            `parquet:"dim,optional,plain,zstd"`
	Chunk          *int32            `parquet:"chunk,optional,plain,zstd"`
	ChunkStart     *int32            `parquet:"chunk_start,optional,plain,zstd"`
	ChunkEnd       *int32            `parquet:"chunk_end,optional,plain,zstd"`
	NOutputTokens  *int32            `parquet:"n_output_tokens,optional,plain,zstd"`
	StreamSequence *int64            `parquet:"stream_sequence,optional,plain,zstd"`
	Seed           *int64            `parquet:"seed,optional,plain,zstd"`
	Truncated      *bool             `parquet:"truncated,optional,plain,zstd"`
	Norm           *float64          `parquet:"norm,optional,plain,zstd"`
	Embedding      []E               `parquet:"embedding,optional,list,plain"`
	Logprobs       []float32         `parquet:"logprobs,optional,list,plain,zstd"`
	CreatedAt      *int64            `parquet:"created_at,optional,timestamp(microsecond:utc),plain,zstd"`
}

type deltaField struct {
	Name     string   `json:"name"`
	Type     any      `json:"type"`
	Nullable bool     `json:"nullable"`
	Metadata struct{} `json:"metadata"`
}

type deltaArray struct {
	Type         string `json:"type"`
	ElementType  string `json:"elementType"`
	ContainsNull bool   `json:"containsNull"`
}

type deltaMap struct {
	Type              string `json:"type"`
	KeyType           string `json:"keyType"`
	ValueType         string `json:"valueType"`
	ValueContainsNull bool   `json:"valueContainsNull"`
}

// SchemaString is the Delta schema of a table whose embeddings have this element type.
func SchemaString(kind Embedding) string {
	array := func(e string) any { return deltaArray{Type: "array", ElementType: e} }
	var fields []deltaField
	add := func(typ any, names ...string) {
		for _, n := range names {
			fields = append(fields, deltaField{Name: n, Type: typ, Nullable: true})
		}
	}
	add("string", "job", "shard", "record_id", "task", "model", "model_sha256", "text", "error", "output", "finish_reason")
	add(deltaMap{Type: "map", KeyType: "string", ValueType: "string"}, "attributes")
	add(array("integer"), "input_ids", "output_ids")
	add("integer", "n_tokens", "n_dropped", "dim", "chunk", "chunk_start", "chunk_end", "n_output_tokens")
	add("long", "stream_sequence", "seed")
	add("boolean", "truncated")
	add("double", "norm")
	add(array(kind.DeltaType()), "embedding")
	add(array("float"), "logprobs")
	add("timestamp", "created_at")
	b, err := json.Marshal(struct {
		Type   string       `json:"type"`
		Fields []deltaField `json:"fields"`
	}{"struct", fields})
	if err != nil {
		panic(err) // plain strings and booleans always marshal
	}
	return string(b)
}

// KindOf tells the element type of a Delta schema's embedding column; an error says how the schema is not a table of ours.
func KindOf(schemaString string) (Embedding, error) {
	var got any
	if err := json.Unmarshal([]byte(schemaString), &got); err != nil {
		return 0, fmt.Errorf("schemaString is not JSON: %w", err)
	}
	var firstErr error
	for kind := Float32; kind <= Int16; kind++ {
		var want any
		if err := json.Unmarshal([]byte(SchemaString(kind)), &want); err != nil {
			return 0, err
		}
		err := sameSchema(want, got)
		if err == nil {
			return kind, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return 0, firstErr
}

// sameSchema compares field by field and leaves each field's metadata aside, in which other tools keep comments.
func sameSchema(want, got any) error {
	wf, gf := fieldsOf(want), fieldsOf(got)
	if len(wf) != len(gf) {
		return fmt.Errorf("the table has %d columns, textmill's have %d", len(gf), len(wf))
	}
	for i := range wf {
		w, g := wf[i], gf[i]
		for _, key := range []string{"name", "type", "nullable"} {
			if fmt.Sprint(w[key]) != fmt.Sprint(g[key]) {
				return fmt.Errorf("column %d: %s is %v, textmill's is %v (%v)", i, key, g[key], w[key], w["name"])
			}
		}
		meta, _ := g["metadata"].(map[string]any)
		if _, ok := meta["delta.invariants"]; ok {
			return fmt.Errorf("column %v has delta.invariants", g["name"])
		}
	}
	return nil
}

func fieldsOf(schema any) []map[string]any {
	m, _ := schema.(map[string]any)
	list, _ := m["fields"].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, f := range list {
		fm, _ := f.(map[string]any)
		out = append(out, fm)
	}
	return out
}

func optional(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// common fills every column but the embedding. The record points into r.
func fill[E float32 | int8 | int16](rec *record[E], r *Row, micros *int64) {
	rec.Job, rec.Shard, rec.RecordID = optional(&r.Job), optional(&r.Shard), optional(&r.RecordID)
	rec.Task, rec.Model, rec.ModelSHA256 = optional(&r.Task), optional(&r.Model), optional(&r.ModelSHA256)
	rec.Text, rec.Output = r.Text.ptr(), r.Output.ptr()
	rec.Error, rec.FinishReason = optional(&r.Error), optional(&r.FinishReason)
	rec.Attributes, rec.InputIDs, rec.OutputIDs = r.Attributes, r.InputIDs, r.OutputIDs
	rec.NTokens, rec.NDropped, rec.Dim = r.NTokens.ptr(), r.NDropped.ptr(), r.Dim.ptr()
	rec.Chunk, rec.ChunkStart, rec.ChunkEnd = r.Chunk.ptr(), r.ChunkStart.ptr(), r.ChunkEnd.ptr()
	rec.NOutputTokens, rec.StreamSequence, rec.Seed = r.NOutputTokens.ptr(), r.StreamSequence.ptr(), r.Seed.ptr()
	rec.Truncated, rec.Norm, rec.Logprobs = r.Truncated.ptr(), r.Norm.ptr(), r.Logprobs
	rec.CreatedAt = nil
	if !r.CreatedAt.IsZero() {
		*micros = r.CreatedAt.UnixMicro()
		rec.CreatedAt = micros
	}
}

// row is fill the other way about; the Row shares the record's memory.
func toRow[E float32 | int8 | int16](rec *record[E]) Row {
	r := Row{
		Job: deref(rec.Job), Shard: deref(rec.Shard), RecordID: deref(rec.RecordID), Task: deref(rec.Task),
		Model: deref(rec.Model), ModelSHA256: deref(rec.ModelSHA256), Text: null(rec.Text), Error: deref(rec.Error),
		Output: null(rec.Output), FinishReason: deref(rec.FinishReason), Attributes: rec.Attributes,
		InputIDs: rec.InputIDs, OutputIDs: rec.OutputIDs, NTokens: null(rec.NTokens), NDropped: null(rec.NDropped),
		Dim: null(rec.Dim), Chunk: null(rec.Chunk), ChunkStart: null(rec.ChunkStart), ChunkEnd: null(rec.ChunkEnd),
		NOutputTokens: null(rec.NOutputTokens), StreamSequence: null(rec.StreamSequence), Seed: null(rec.Seed),
		Truncated: null(rec.Truncated), Norm: null(rec.Norm), Logprobs: rec.Logprobs,
	}
	if rec.CreatedAt != nil {
		r.CreatedAt = time.UnixMicro(*rec.CreatedAt).UTC()
	}
	switch e := any(rec.Embedding).(type) {
	case []float32:
		r.Embedding = e
	case []int8:
		r.Embedding8 = e
	case []int16:
		r.Embedding16 = e
	}
	return r
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func null[T any](p *T) Null[T] {
	if p == nil {
		return Null[T]{}
	}
	return Null[T]{V: *p, Valid: true}
}
