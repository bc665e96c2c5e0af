package generation

import (
	"cmp"
	"fmt"
	"math"

	"textmill/jobs"
)

// Limits bound what a record and a message may ask for. They are checked before any work is done.
type Limits struct {
	MaxNewTokens   int // 0: what the model's context has room for
	N              int
	TopLogprobs    int
	Stop           int   // stop strings
	TokensPerShard int64 // new tokens that the records of a message may come to
}

// check refuses params beyond the limits, by their names and those of the configuration.
func (l *Limits) check(p jobs.GenerateParams) *jobs.RecordError {
	if l == nil {
		return nil
	}
	for _, x := range []struct {
		name       string
		asked, max int
	}{{"max_new_tokens", p.MaxNewTokens, cmp.Or(l.MaxNewTokens, math.MaxInt)}, {"n", p.N, l.N},
		{"top_logprobs", p.TopLogprobs, l.TopLogprobs}} {
		if x.asked > x.max {
			return &jobs.RecordError{Class: jobs.InvalidParam,
				Message: fmt.Sprintf("%s: %d is above %d, which this daemon allows (limits.%s)", x.name, x.asked, x.max, x.name)}
		}
	}
	if len(p.Stop) > l.Stop {
		return &jobs.RecordError{Class: jobs.InvalidParam,
			Message: fmt.Sprintf("stop: %d strings, this daemon allows %d (limits.stop)", len(p.Stop), l.Stop)}
	}
	return nil
}

// checkShard refuses a message whose records may come to too many tokens together. What a record may come to is
// bounded by the model's context. Of a message that points to its records those that come after too many are refused,
// see spend.
func (e *Engine) checkShard(s *jobs.Shard) *jobs.RecordError {
	if e.o.Limits == nil {
		return nil
	}
	var total int64
	limit := e.o.Limits.TokensPerShard
	for i := range s.Records {
		p := s.Generate
		if r := &s.Records[i]; r.Err != nil {
			continue
		} else if r.Params != nil {
			var err error
			if p, err = p.With(r.Params); err != nil {
				continue // an error row of its own
			}
		}
		if e.o.Limits.check(p) != nil {
			continue // likewise
		}
		if total += e.mayCome(p); total > limit {
			return &jobs.RecordError{Class: jobs.InvalidParam,
				Message: fmt.Sprintf("the message's %d records may come to more than %d new tokens together, "+
					"which this daemon allows a message (limits.tokens_per_shard); send fewer in one, or ask for a smaller max_new_tokens or n", len(s.Records), limit)}
		}
	}
	return nil
}

// spend counts what a record of a message that points to its records may come to. They come in their order, so that
// the same ones are refused each time.
func (w work) spend(p jobs.GenerateParams) *jobs.RecordError {
	if w.spent == nil {
		return nil
	}
	if limit := w.e.o.Limits.TokensPerShard; w.spent.Add(w.e.mayCome(p)) > limit {
		return &jobs.RecordError{Class: jobs.InvalidParam,
			Message: fmt.Sprintf("the message's records up to this one may come to more than %d new tokens together, "+
				"which this daemon allows a message (limits.tokens_per_shard); point to fewer in one, or ask for a smaller max_new_tokens or n", limit)}
	}
	return nil
}

// mayCome is how many tokens the texts of one record may have at most.
func (e *Engine) mayCome(p jobs.GenerateParams) int64 {
	tokens := e.o.Spec.MaxLength
	if r, err := e.request(p, 0); err == nil {
		tokens = min(tokens, r.MaxNewTokens)
	}
	return int64(tokens) * int64(max(p.N, 1))
}
