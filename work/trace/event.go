package trace

import (
	"math"
	"strconv"

	"textmill/models"
)

// Events, in the order in which they come: one Start; a Token for each token of the text; from an embedding model a
// Hidden for each token and, unless it has none, the Vector; from a generation model a Step for each new token and the
// End.
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

		pieces []string
	}
	// Table is the matrix that tokens are looked up in.
	Table struct {
		Tensor string `json:"tensor"`
		Shape  [2]int `json:"shape"`
		Stored string `json:"stored"` // as float32, int8 in blocks of 32, …
	}
	// Token is one token of the text with its row of the table.
	Token struct {
		Type  string   `json:"type"` // token
		Index int      `json:"index"`
		ID    int32    `json:"id"`
		Piece string   `json:"piece"`
		Span  [2]int32 `json:"span"` // characters of the text; [0,0] for special tokens
		Row   Values   `json:"embedding"`
	}
	// Hidden is what the model's last layer says of a token.
	Hidden struct {
		Type  string `json:"type"` // hidden
		Index int    `json:"index"`
		Values
	}
	// Vector is the text's vector. Norm is the length before normalization, the values are those of `textmill embed`.
	Vector struct {
		Type      string `json:"type"` // vector
		Pooling   string `json:"pooling"`
		Pooled    int    `json:"pooled_tokens"`
		Normalize bool   `json:"normalize"`
		Precision string `json:"precision"`
		Values
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
	}
	// Candidate is a token before and after penalties, temperature and filters.
	Candidate struct {
		ID    int32  `json:"id"`
		Piece string `json:"piece"`
		Logit number `json:"logit"`
		Prob  number `json:"prob"`
		Kept  bool   `json:"kept"`
		// Of a kept one: the logit after penalties, bias and temperature, and the probability of being drawn.
		Score *number `json:"score,omitempty"`
		After *number `json:"prob_after,omitempty"`
	}
	// End is why the text ended: eos, stop or length.
	End struct {
		Type   string `json:"type"` // end
		Finish string `json:"finish_reason"`
		Tokens int    `json:"n_output_tokens"`
		Text   string `json:"output"`
	}
)

// An Event is one of the types above.
type Event any

// Values is a vector: its shape, its length in space, and its first values.
type Values struct {
	Shape  []int    `json:"shape"`
	Norm   number   `json:"norm"`
	Values []number `json:"values"`
}

func valuesOf(v []float32, first int) Values {
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	return Values{Shape: []int{len(v)}, Norm: number(math.Sqrt(sum)), Values: firstOf(v, first)}
}

func firstOf[T float32 | int8 | uint8](v []T, n int) []number {
	out := make([]number, min(n, len(v)))
	for i := range out {
		out[i] = number(v[i])
	}
	return out
}

// number is a JSON number; what is none is null.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
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

func start(spec *models.Spec, table models.EmbeddingTable, device, text string, pieces []string, dropped int) Start {
	return Start{
		Type: "start", Model: spec.Name, SHA256: spec.SHA256, Task: spec.Task, Device: device, Text: text,
		Tokens: len(pieces), Dropped: dropped,
		Table: Table{Tensor: table.Name, Shape: [2]int{table.Rows, table.Dim}, Stored: table.Storage}, pieces: pieces,
	}
}
