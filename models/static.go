package models

import (
	"fmt"

	"textmill/ground/naming"
)

// StaticName is the file of a bundle that says how a table of token vectors makes text vectors.
const StaticName = "static.json"

// A Static is what StaticName holds: a model without layers, whose graph is a table of token vectors, and whose text
// vectors are means of them. Texts get no special tokens.
type Static struct {
	// Of says whose mean it is: model2vec's or sentence-transformers'.
	Of string `json:"of"`
	// MaxLength is how many tokens of a text count, 0 for all.
	MaxLength int `json:"max_length"`
	// CharsPerToken, where it is not 0, cuts texts before they are tokenized: to as many characters a token that counts.
	CharsPerToken int `json:"chars_per_token"`
	// LeaveOut is the token that means leave out, -1 for none.
	LeaveOut int32 `json:"leave_out"`
	// Normalize tells that the mean is brought to length 1.
	Normalize bool `json:"normalize"`
}

// LongestStatic is the maximum length of models that have none.
const LongestStatic = 1 << 24

func (s *Spec) readStatic(c *configs) error {
	if s.Task != naming.TaskEmbed || s.Output.Rank != 3 || s.Hidden < 1 {
		return fmt.Errorf("%w: %s is there, but %s gives no vectors of tokens", ErrBundle, StaticName, s.Graph)
	}
	t := c.static
	if t.MaxLength < 0 || t.MaxLength > LongestStatic || t.CharsPerToken < 0 || t.CharsPerToken > LongestStatic {
		return fmt.Errorf("%w: %s: max_length %d, chars_per_token %d", ErrBundle, StaticName, t.MaxLength, t.CharsPerToken)
	}
	s.Static, s.Pooling, s.Normalize, s.Dim = t, PoolMean, t.Normalize, s.Hidden
	s.PaddingSide, s.MaxLength = "right", t.MaxLength
	if s.MaxLength == 0 {
		s.MaxLength = LongestStatic
	}
	return s.resolvePrompts(c)
}

// CutChars is what is tokenized of a text of which that many tokens count; ok is false where it is all of it.
func (s *Spec) CutChars(text string, tokens int) (cut string, ok bool) {
	if s.Static == nil || s.Static.CharsPerToken == 0 || tokens >= LongestStatic {
		return text, false
	}
	left := tokens * s.Static.CharsPerToken
	if len(text) <= left {
		return text, false
	}
	for at := range text {
		if left == 0 {
			return text[:at], true
		}
		left--
	}
	return text, false
}
