package part

import (
	"encoding/json"
	"strings"
	"time"
)

// maxBound is the longest string that becomes a bound. A longer one leaves its column without bounds: a truncated
// maximum makes readers skip rows that match.
const maxBound = 128

type textBounds struct {
	min, max string
	seen     bool
	unusable bool
	absent   bool // it is not known how many are null
	nulls    int64
}

func (b *textBounds) add(s string) {
	if s == "" {
		b.nulls++
		return
	}
	bound(b, s)
}

// bound takes in a text that is not null; it keeps a copy.
func bound[T string | []byte](b *textBounds, s T) {
	switch {
	case b.unusable:
		return
	case len(s) > maxBound || hasControl(s):
		b.unusable = true
		return
	case !b.seen:
		b.min, b.max, b.seen = strings.Clone(string(s)), strings.Clone(string(s)), true
	case string(s) < b.min:
		b.min = strings.Clone(string(s))
	case string(s) > b.max:
		b.max = strings.Clone(string(s))
	}
}

func hasControl[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' {
			return true
		}
	}
	return false
}

type intBounds struct {
	min, max int64
	seen     bool
	absent   bool // it is not known how many are null
	nulls    int64
}

func (b *intBounds) add(v int64, valid bool) {
	switch {
	case !valid:
		b.nulls++
	case !b.seen:
		b.min, b.max, b.seen = v, v, true
	default:
		b.min, b.max = min(b.min, v), max(b.max, v)
	}
}

// stats gathers what Delta's add action tells about a file: bounds for short strings, integers and timestamps only.
type stats struct {
	rows  int64
	texts [8]textBounds
	ints  [10]intBounds
	nulls [4]int64 // text, output, truncated, norm: counted, not bounded

	nullsAbsent [4]bool // it is not known how many are null
}

var (
	textColumns = [8]string{"job", "shard", "record_id", "task", "model", "model_sha256", "error", "finish_reason"}
	intColumns  = [10]string{"n_tokens", "n_dropped", "dim", "chunk", "chunk_start", "chunk_end", "n_output_tokens",
		"stream_sequence", "seed", "created_at"}
	nullColumns = [4]string{"text", "output", "truncated", "norm"}
)

func (s *stats) add(r *Row) {
	s.rows++
	for i, v := range [8]string{r.Job, r.Shard, r.RecordID, r.Task, r.Model, r.ModelSHA256, r.Error, r.FinishReason} {
		s.texts[i].add(v)
	}
	for i, v := range [7]Null[int32]{r.NTokens, r.NDropped, r.Dim, r.Chunk, r.ChunkStart, r.ChunkEnd, r.NOutputTokens} {
		s.ints[i].add(int64(v.V), v.Valid)
	}
	s.ints[7].add(r.StreamSequence.V, r.StreamSequence.Valid)
	s.ints[8].add(r.Seed.V, r.Seed.Valid)
	s.ints[9].add(r.CreatedAt.UnixMicro(), !r.CreatedAt.IsZero())
	for i, valid := range [4]bool{r.Text.Valid, r.Output.Valid, r.Truncated.Valid, r.Norm.Valid} {
		if !valid {
			s.nulls[i]++
		}
	}
}

func (s *stats) json() string {
	type object = map[string]any
	lo, hi, nulls := object{}, object{}, object{}
	for i, b := range s.texts {
		if b.absent {
			continue
		}
		nulls[textColumns[i]] = b.nulls
		if b.seen && !b.unusable {
			lo[textColumns[i]], hi[textColumns[i]] = b.min, b.max
		}
	}
	for i, b := range s.ints {
		if !b.absent {
			nulls[intColumns[i]] = b.nulls
		}
		if !b.seen {
			continue
		}
		if intColumns[i] == "created_at" {
			lo["created_at"], hi["created_at"] = millis(b.min, false), millis(b.max, true)
		} else {
			lo[intColumns[i]], hi[intColumns[i]] = b.min, b.max
		}
	}
	for i, n := range s.nulls {
		if !s.nullsAbsent[i] {
			nulls[nullColumns[i]] = n
		}
	}
	b, err := json.Marshal(object{"numRecords": s.rows, "minValues": lo, "maxValues": hi, "nullCount": nulls})
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return string(b)
}

// millis writes microseconds with the milliseconds that Delta's statistics hold, rounded outwards.
func millis(us int64, up bool) string {
	ms := us / 1000
	switch {
	case up && us%1000 > 0:
		ms++
	case !up && us%1000 < 0:
		ms--
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
