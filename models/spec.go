// Package models reads what a model bundle's own files say of their model.
package models

import (
	"textmill/tokenize"
)

// Tasks that a bundle can be made for.
const (
	TaskEmbed    = "embed"
	TaskGenerate = "generate"
)

// A File is one file of a bundle as it was when it was recorded. Path is relative to the bundle, with forward slashes.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// A Spec is what a bundle's own files say about its model. It is not changed after OpenBundle.
type Spec struct {
	Name, Dir, Task string
	// Source says where the bundle came from, "" when nothing recorded it.
	Source string
	// Graph is the ONNX file that runs, relative to Dir; Graphs are all there are.
	Graph  string
	Graphs []string
	// Card is set where that is a graph for a card; Cards are all that were made.
	Card     *CardGraph
	Cards    []CardGraph
	forCards []string // the ONNX files that are for cards

	// MaxLength is the most tokens, specials counted, that the model takes.
	MaxLength int
	// Alone is how many tokens a text may have to run beside others: a longer one goes another way through the graph,
	// where it is the only one of its run. 0 means that the graph has no such way, and holds the scores of all pairs of
	// tokens.
	Alone int
	// Heads is how many heads attention has, 0 where nothing says.
	Heads int
	// Dim is the length of the model's vectors, Hidden that of the graph's, which the others are pooled from.
	Dim, Hidden int
	// Truncate is how many of a vector's first dimensions are kept where nothing else is asked for, 0 for all.
	Truncate int
	// Pooling is how the model was trained to make one vector, several of them with PoolJoint between. PooledInGraph
	// means that the graph does it itself and no other pooling can be asked for.
	Pooling       string
	PooledInGraph bool
	// Steps are applied to the pooled vector, in their order; Normalize is the last.
	Steps     []Step
	Normalize bool
	// ModuleFiles are the files of the modules behind the encoder.
	ModuleFiles []string
	// Lowercase means that texts are lowercased before they are tokenized.
	Lowercase bool

	Prompts       map[string]string
	DefaultPrompt string // name of the prompt to use when none is asked for
	// Similarity is how the model's vectors are meant to be compared, in sentence-transformers' words: cosine, dot,
	// euclidean, manhattan; "" when its files do not say.
	Similarity string
	// PoolPrompt is false for models whose pooling leaves the prompt's tokens out.
	PoolPrompt bool

	PaddingSide string // "right" or "left"
	PadID       int32

	// SHA256 identifies the model: the hash of the sorted lines "hash  path\n" of Files.
	SHA256 string
	Files  []File

	// Precision is what the graph computes with: fp32, fp16, bf16, int8, or blocks of few bits, of a decoder as it was
	// imported.
	Precision string

	// Inputs are the names of the graph's inputs in the graph's order.
	Inputs []string
	// BatchDependent means that a text's vector changes with its batch-mates, because activations are quantized by
	// the range of the whole batch (DynamicQuantizeLinear).
	BatchDependent bool
	// Notes are things worth knowing, above all contradictions between files, with both sides and what was chosen.
	Notes []string

	// Static is set where vectors are means out of a table.
	Static *Static
	// Architecture is what config.json says the model is, "" when it does not.
	Architecture string
	// Decoder and Generation describe a model of the task generate.
	Decoder    *Decoder
	Generation Generation

	// Feeds and Output are how a model of the task embed is run: what each input is given, in the graph's order, and what
	// vectors are made of.
	Feeds  []Feed
	Output Output
}

// A Feed is an input of the graph and what it is given.
type Feed struct {
	Name string
	Role Role
}

// A Role is what an input is given.
type Role int

// Roles of inputs.
const (
	RoleIDs Role = iota
	RoleMask
	RoleTypes
	RolePositions
)

// Output is the tensor that vectors are made of: one a token where its rank is 3, one a text where it is 2.
type Output struct {
	Name string
	Rank int
	Half bool // of float16
}

// AloneKey is the metadata by which a graph says what Spec.Alone is.
const AloneKey = "textmill.alone"

// GraphPath is where the graph that runs lies.
func (s *Spec) GraphPath() string { return s.path(s.Graph) }

// Tokenizer loads the bundle's tokenizer.json.
func (s *Spec) Tokenizer() (*tokenize.Tokenizer, error) {
	return tokenize.Load(s.path("tokenizer.json"))
}
