package tokenize

import (
	"fmt"

	"textmill/tokenize/internal/spec"
)

// Options says how a text is encoded. The zero value puts special tokens around it and neither cuts nor pads.
type Options struct {
	NoSpecialTokens bool
	Pair            *string // a second sequence
	Truncation      *Truncation
	Padding         *Padding
}

// Strategy says which sequence of a pair is cut.
type Strategy string

// The strategies of Hugging Face.
const (
	LongestFirst Strategy = "longest_first"
	OnlyFirst    Strategy = "only_first"
	OnlySecond   Strategy = "only_second"
)

// Truncation cuts to MaxLength tokens, special ones counted. What is cut off goes to Overflowing, in pieces of the
// same length that repeat Stride tokens of the piece before.
type Truncation struct {
	MaxLength, Stride int
	Strategy          Strategy // "" is LongestFirst
	Left              bool     // cut at the start
}

// Padding fills up to Length tokens, or when that is 0 to the longest of a batch.
type Padding struct {
	Length     int
	MultipleOf int // 0 and 1: any length
	Left       bool
	ID, TypeID int32
	Token      string
}

func ownTruncation(t *spec.Truncation) *Truncation {
	if t == nil {
		return nil
	}
	names := map[string]Strategy{"LongestFirst": LongestFirst, "OnlyFirst": OnlyFirst, "OnlySecond": OnlySecond}
	return &Truncation{MaxLength: t.MaxLength, Stride: t.Stride, Strategy: names[t.Strategy], Left: t.Left}
}

func ownPadding(p *spec.Padding) *Padding {
	if p == nil {
		return nil
	}
	return &Padding{Length: max(0, p.Fixed), MultipleOf: p.MultipleOf, Left: p.Left, ID: p.ID, TypeID: p.TypeID,
		Token: p.Token}
}

// room is how many tokens the sequences may have together.
func (tr *Truncation) room(specials int) (int, error) {
	if tr.Stride < 0 || tr.MaxLength < specials {
		return 0, fmt.Errorf("%w: max_length %d, stride %d, with %d special tokens", ErrOptions, tr.MaxLength, tr.Stride,
			specials)
	}
	return tr.MaxLength - specials, nil
}
