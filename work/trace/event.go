package trace

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"textmill/tokenize"
)

// Events, in the order in which they come: one Start; a Token for each token of the text; from an embedding model a
// Hidden for each token, the Similarity of a short text and, unless it has none, the Vector; from a generation model a
// Step for each new token and the End. The events of a second text follow on those of the first, and then the Pair.
type (
	// Start is what is traced, and where tokens are looked up.
	Start struct {
		Type    string `json:"type"` // start
		Model   string `json:"model"`
		SHA256  string `json:"model_sha256"`
		Task    string `json:"task"`
		Device  string `json:"device"`
		Text    string `json:"text"` // as it is tokenized, prompt and chat template included
		Tokens  int    `json:"n_tokens"`
		Dropped int    `json:"n_dropped"`
		Table   Table  `json:"embedding_table"`
		// Marks are what pieces have in the place of spaces and the like.
		Marks    []Mark    `json:"marks,omitempty"`
		Sampling *Sampling `json:"sampling,omitempty"` // of a generation model

		pieces []string
		tok    *tokenize.Tokenizer
	}
	// Table is the matrix that tokens are looked up in.
	Table struct {
		Tensor string `json:"tensor"`
		Shape  [2]int `json:"shape"`
		Stored string `json:"stored"` // as float32, int8 in blocks of 32, …
	}
	// Sampling is how tokens are picked, once params, the model's own configuration and defaults are settled. What keeps
	// all is left out.
	Sampling struct {
		Temperature   Number `json:"temperature"` // 0 is greedy
		TopK          int    `json:"top_k,omitempty"`
		TopP          Number `json:"top_p,omitempty"`
		MinP          Number `json:"min_p,omitempty"`
		TopH          Number `json:"top_h,omitempty"`
		TypicalP      Number `json:"typical_p,omitempty"`
		EpsilonCutoff Number `json:"epsilon_cutoff,omitempty"`
		EtaCutoff     Number `json:"eta_cutoff,omitempty"`
		Seed          int64  `json:"seed"`
		MaxNewTokens  int    `json:"max_new_tokens"`
		// Temperatures are those at which steps say what the tokens weigh that are not among their candidates.
		Temperatures []float64 `json:"rest_temperatures,omitempty"`
	}
	// Token is one token of the text with its row of the table.
	Token struct {
		Type    string   `json:"type"` // token
		Index   int      `json:"index"`
		ID      int32    `json:"id"`
		Piece   string   `json:"piece"`
		Special bool     `json:"special,omitempty"`
		Span    [2]int32 `json:"span"`      // characters of the text; [0,0] for what the tokenizer added
		Bytes   [2]int32 `json:"byte_span"` // the same in bytes of UTF-8
		Row     Values   `json:"embedding"`
	}
	// Hidden is what the model's last layer says of a token.
	Hidden struct {
		Type  string `json:"type"` // hidden
		Index int    `json:"index"`
		Values

		whole []float32
	}
	// Similarity has the cosine of each two of the tokens' hidden states.
	Similarity struct {
		Type   string     `json:"type"` // similarity
		Shape  [2]int     `json:"shape"`
		Tokens [][]Number `json:"token_cosine"`
	}
	// Vector is the text's vector. Norm is the length before normalization, the values are those of `textmill embed`.
	Vector struct {
		Type      string `json:"type"` // vector
		Pooling   string `json:"pooling"`
		Pooled    int    `json:"pooled_tokens"`
		Normalize bool   `json:"normalize"`
		Precision string `json:"precision"`
		Values

		whole []float32 // before it was brought to the precision
	}
	// Pair is how two texts compare: by the cosine of their vectors and, of short texts, of each two of their tokens'
	// hidden states, a row for each token of the first.
	Pair struct {
		Type   string     `json:"type"` // pair
		Cosine Number     `json:"cosine"`
		Shape  [2]int     `json:"shape"`
		Tokens [][]Number `json:"token_cosine,omitempty"`
	}
	// Step is one new token. Candidates are the best ones as the model scored them, then others that it might have been.
	Step struct {
		Type       string      `json:"type"` // step
		Step       int         `json:"step"`
		ID         int32       `json:"id"`
		Piece      string      `json:"piece"`
		Text       string      `json:"text"` // what became certain with it
		Row        Values      `json:"embedding"`
		Kept       int         `json:"n_kept"` // tokens that the pick was among
		Candidates []Candidate `json:"candidates"`
		Finish     string      `json:"finish_reason,omitempty"`
		// Asked for with Options.Temperatures: so many of the highest adjusted logits are all among the candidates, and
		// Rest is the logarithm of the sum of exp(adjusted / temperature) over all other tokens, at each temperature that
		// Start names; null where there are none.
		Highest int      `json:"n_highest,omitempty"`
		Rest    []Number `json:"rest,omitempty"`
	}
	// Candidate is a token before and after penalties, temperature and filters.
	Candidate struct {
		ID    int32  `json:"id"`
		Piece string `json:"piece"`
		Logit Number `json:"logit"`
		Prob  Number `json:"prob"`
		// Adjusted is the logit after penalties, bias and rules, which temperature divides; null where they rule it out.
		Adjusted Number `json:"adjusted"`
		Kept     bool   `json:"kept"`
		// Of a kept one: the logit after penalties, bias and temperature, and the probability of being drawn.
		Score *Number `json:"score,omitempty"`
		After *Number `json:"prob_after,omitempty"`
	}
	// End is why the text ended: eos, stop or length.
	End struct {
		Type   string `json:"type"` // end
		Finish string `json:"finish_reason"`
		Tokens int    `json:"n_output_tokens"`
		Text   string `json:"output"`
	}
)

// Says is the text of a token by itself; "" where its piece says it already, but for marks.
func (s Start) Says(id int32) string {
	if s.tok == nil {
		return ""
	}
	piece, _ := s.tok.IDToToken(id)
	for _, m := range s.Marks {
		piece = strings.ReplaceAll(piece, m.Mark, "")
	}
	switch text := strings.TrimSpace(s.tok.Decode([]int32{id}, false)); {
	case text == piece:
		return ""
	case strings.ContainsRune(text, utf8.RuneError):
		return "a part of a character"
	default:
		return text
	}
}

// A Mark is what pieces have in the place of a space and the like.
type Mark = tokenize.Mark

// Whole are all values of the vector, as numbers of its length before they were brought to the precision.
func (v Vector) Whole() []float32 { return v.whole }

// An Event is one of the types above.
type Event any

// Values is a vector: its shape, its length in space, and its first values.
type Values struct {
	Shape  []int    `json:"shape"`
	Norm   Number   `json:"norm"`
	Values []Number `json:"values"`
}

func valuesOf(v []float32, first int) Values {
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	return Values{Shape: []int{len(v)}, Norm: Number(math.Sqrt(sum)), Values: firstOf(v, first)}
}

func firstOf[T float32 | int8 | uint8](v []T, n int) []Number {
	out := make([]Number, min(n, len(v)))
	for i := range out {
		out[i] = Number(v[i])
	}
	return out
}

// Number is a JSON number; what is none is null.
type Number float64

func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsInf(f, 0) || f != f {
		return []byte("null"), nil
	}
	size := 64
	if float64(float32(f)) == f { // it was a float32: the shortest digits that say so
		size = 32
	}
	return strconv.AppendFloat(nil, f, 'g', -1, size), nil
}
