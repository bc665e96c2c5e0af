package part

import "time"

func optional(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// common fills every column but the embedding. The record points into r.
func fill[E float32 | int8 | int16](rec *record[E], r *Row, micros *[2]int64) {
	rec.Job, rec.Shard, rec.RecordID = optional(&r.Job), optional(&r.Shard), optional(&r.RecordID)
	rec.Task, rec.Model, rec.ModelSHA256 = optional(&r.Task), optional(&r.Model), optional(&r.ModelSHA256)
	rec.Text, rec.Output = r.Text.ptr(), r.Output.ptr()
	rec.Error, rec.FinishReason = optional(&r.Error), optional(&r.FinishReason)
	rec.Attributes, rec.InputIDs, rec.OutputIDs = r.Attributes, r.InputIDs, r.OutputIDs
	rec.NTokens, rec.NDropped, rec.Dim = r.NTokens.ptr(), r.NDropped.ptr(), r.Dim.ptr()
	rec.Chunk, rec.ChunkStart, rec.ChunkEnd = r.Chunk.ptr(), r.ChunkStart.ptr(), r.ChunkEnd.ptr()
	rec.NOutputTokens, rec.StreamSequence, rec.Seed = r.NOutputTokens.ptr(), r.StreamSequence.ptr(), r.Seed.ptr()
	rec.Truncated, rec.Norm, rec.Logprobs = r.Truncated.ptr(), r.Norm.ptr(), r.Logprobs
	rec.ContentSHA256 = optional(&r.ContentSHA256)
	rec.CreatedAt, rec.StreamCreated = stamp(r.CreatedAt, &micros[0]), stamp(r.StreamCreated, &micros[1])
}

// stamp is a time in microseconds, kept at; nil for the zero time.
func stamp(t time.Time, at *int64) *int64 {
	if t.IsZero() {
		return nil
	}
	*at = t.UnixMicro()
	return at
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
	r.ContentSHA256 = deref(rec.ContentSHA256)
	r.CreatedAt, r.StreamCreated = stamped(rec.CreatedAt), stamped(rec.StreamCreated)
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

// stamped is stamp the other way about.
func stamped(at *int64) time.Time {
	if at == nil {
		return time.Time{}
	}
	return time.UnixMicro(*at).UTC()
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
