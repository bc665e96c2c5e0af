package answers

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"textmill/export"
	"textmill/work/rows"
)

// Logprobs are the log-probabilities of a text's tokens.
type Logprobs struct {
	Content []TokenLogprob `json:"content"`
	Refusal []TokenLogprob `json:"refusal"`
}

// TokenLogprob names a token whose text is not known by its ID: token_id:N.
type TokenLogprob struct {
	Token       string       `json:"token"`
	Logprob     float32      `json:"logprob"`
	Bytes       []int        `json:"bytes"`
	TopLogprobs []TopLogprob `json:"top_logprobs"`
}

// TopLogprob is one of the likeliest tokens of a step.
type TopLogprob struct {
	Token   string  `json:"token"`
	Logprob float32 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

// TextLogprobs are the log-probabilities of a text's tokens in the form of /v1/completions. A token's offset is where
// what it adds to the text begins, in characters.
type TextLogprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []float32            `json:"token_logprobs"`
	TopLogprobs   []map[string]float32 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"`
}

// Add adds a token at an offset, and gives the next one's. The token is among the likeliest, whether it is or not.
func (l *TextLogprobs) Add(p *rows.Piece, offset int) (next int) {
	top := map[string]float32{p.Token.Token: finite(p.Token.Logprob)}
	for _, c := range p.Top {
		if _, there := top[c.Token]; !there { // several may be the same text; the likeliest comes first
			top[c.Token] = finite(c.Logprob)
		}
	}
	l.Tokens, l.TokenLogprobs = append(l.Tokens, p.Token.Token), append(l.TokenLogprobs, finite(p.Token.Logprob))
	l.TopLogprobs, l.TextOffset = append(l.TopLogprobs, top), append(l.TextOffset, offset)
	return offset + utf8.RuneCountInString(p.Text)
}

func logprobsOf(r *export.Row) *Logprobs {
	if len(r.Logprobs) == 0 || len(r.Logprobs) != len(r.OutputIDs) {
		return nil
	}
	top := topOf(r)
	out := &Logprobs{Content: make([]TokenLogprob, len(r.OutputIDs))}
	for i, id := range r.OutputIDs {
		token := rows.Candidate{ID: id, Token: "token_id:" + strconv.Itoa(int(id)), Logprob: r.Logprobs[i]}
		var likely []rows.Candidate
		if top != nil {
			likely = top[i]
		}
		for _, c := range likely {
			if c.ID == id {
				token.Token = c.Token
			}
		}
		out.Content[i] = LogprobOf(token, likely)
	}
	return out
}

// LogprobOf is a token with the likeliest ones of its step.
func LogprobOf(token rows.Candidate, top []rows.Candidate) TokenLogprob {
	out := TokenLogprob{Token: token.Token, Logprob: finite(token.Logprob), TopLogprobs: []TopLogprob{}}
	for _, c := range top {
		out.TopLogprobs = append(out.TopLogprobs, TopLogprob{Token: c.Token, Logprob: finite(c.Logprob)})
	}
	return out
}

// finite is what JSON has a number for; OpenAI writes this one for what is impossible.
func finite(p float32) float32 {
	if math.IsInf(float64(p), 0) || p != p {
		return -9999
	}
	return p
}

// topOf are the likeliest tokens of each step, or nil where the row does not tell them: an attribute of this name may
// also be the record's own.
func topOf(r *export.Row) [][]rows.Candidate {
	raw := r.Attributes[rows.TopLogprobs]
	if raw == "" {
		return nil
	}
	var steps [][]rows.Candidate
	if err := json.Unmarshal([]byte(raw), &steps); err != nil || len(steps) != len(r.OutputIDs) {
		return nil
	}
	return steps
}
