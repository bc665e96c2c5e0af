// Package checkpoint turns checkpoints into model bundles: GGUF files and Hugging Face directories with safetensors
// become ONNX graphs that ONNX Runtime runs on processors and on CUDA, with tokenizer and configuration beside them.
//
// # The graph of an encoder
//
// Inputs input_ids, attention_mask and, for models with types, token_type_ids: int64 [batch, sequence]. Output
// last_hidden_state: float32 [batch, sequence, hidden]. Rows may be padded on either side; vectors of padding mean
// nothing.
//
// On a card it is another graph, of packed texts: see models.PackedIDs and what follows it.
//
// # The graph of a decoder that embeds
//
// Inputs input_ids and attention_mask and the output last_hidden_state as above: what its last norm gives, without
// caches and without a head.
//
// # The graph of a decoder that generates
//
// Layout "slots-1" (models.SlotsLayout), which decoder.json in the bundle names together with all sizes (see
// models.Decoder). It is made for a loop that keeps one cache buffer for all rows, refills the slot of a finished row,
// and never copies a cache:
//
//	input_ids               int64 [batch, sequence]   new tokens, rows padded on the right with any id
//	seqlens_k               int32 [batch]             for each row, how many tokens its cache holds after this run, minus one
//	total_sequence_length   int32 [1]                 the greatest seqlens_k plus one; in processor memory
//	logits_positions        int64 [logits]            which of the batch × sequence positions are scored, row by row counted
//	past_key_values.N.key   float32 [batch, kv_heads, max_length, head_size], likewise .value
//	logits                  float32 [logits, vocab_size], in the order of logits_positions
//	present.N.key, .value   as past; bind both to the same memory
//
// Rules. (1) Past and present of a layer must be the same buffer. Slots are its first dimension, so that a batch of
// the first n slots, or of one slot anywhere, is a view of it. (2) A prompt, or the first part of one, runs with empty
// caches: sequence equals total_sequence_length, any number of rows, each seqlens_k its own length minus one; what
// lies behind a row's length in its cache is never read. (3) A later part of a prompt runs alone (batch 1), without
// padding. (4) A decoding step has sequence 1 and any number of rows with caches of any lengths. A slot that is not in
// use may run along with seqlens_k 0; its logits are not asked for. (5) Tokens are rotated by their position in the
// cache: there is no position_ids. (6) max_length is the buffer's and at most max_positions. (7) logits_positions may
// repeat and leave out positions; a part of a prompt that is not its end needs one position all the same. (8) A row's
// logits are the same bits alone and in every batch, if a run has at least min_rows tokens, batch × sequence: where
// that is 2, let an idle slot run along with a row that would be alone.
//
// Layout "slots-2" (models.MoreLayout) is the same with what else decoder.json tells of. With original_positions:
//
//	rotary_start            int64 [batch]             the row of the table of rotations at which each row's text begins
//
// That is 0 for texts of up to original_positions tokens and original_positions for longer ones, from their first
// token on. A text that becomes longer runs once more, as a new one.
//
// With states, which layers beside those of cache_layers have in the place of a KV cache:
//
//	past_state.NAME         float32 [batch, dims...]  what the text before the run came to
//	present_state.NAME      float32 [batch, dims...]  what it comes to with the run, in other memory
//
// What a text that begins finds in its past state counts for nothing, and what fills its row up does not come into the
// present one. A later part of a prompt must not be filled up. A run that failed has changed no past state.
//
// # The graphs of a decoder for a card
//
// Layout "card-1" (models.CardLayout): the above with past, present, weights and activations in fp16 or bf16, as
// models.CardGraph tells, all in memory of the card but for total_sequence_length. Beside logits, which stay fp32:
//
//	token                   int64 [logits]            the lowest id of the likeliest; vocab_size where a number is none
//
// What a run decodes can be the input_ids of the next: the same memory, seen as [logits, 1]. Only rules (3) and (8)
// differ: with a past, CUDA takes more than one new token at batch 1 alone, and a row's bits hold at one decode width.
// Every node has a kernel of CUDA, and no size follows from a value, so that runs can be kept as CUDA graphs; then
// total_sequence_length is max_length. The other graph, models.CardGraph.Choice, takes what the first left on the
// card, and runs only where a token is drawn:
//
//	logits                  float32 [rows, vocab_size]
//	temperature             float32 [rows]            above 0
//	top_logits              float32 [rows, candidates] in falling order, of equals the lowest id first
//	top_ids                 int32 [rows, candidates]
//	log_sum                 float32 [rows]            of all logits: a token's log-probability is its logit less this
//	log_sum_at              float32 [rows]            the same of logits divided by the temperature
package checkpoint

import (
	"errors"

	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
)

// Classes of errors.
var (
	// ErrUnsupported: an architecture, setting or precision that cannot be imported; the error names it.
	ErrUnsupported = errors.New("cannot import the checkpoint")
	// ErrNoCard: a family that no graph for a card is made for.
	ErrNoCard = errors.New("there is no graph for a card")
	// ErrExists: there is a bundle of that name already.
	ErrExists = errors.New("the bundle exists")
)

// Precisions that weights can be imported in. Blocks of a GGUF file that are already as small keep their exact values.
const (
	FP32 = string(weights.FP32) // every weight as a float
	Q8   = string(weights.Q8)   // matrices in blocks of 32 with 8 bits
	Q4   = string(weights.Q4)   // matrices in blocks of 32 with 4 bits, tokens' tables with 8
	AsIs = string(weights.AsIs) // the checkpoint's own blocks, whatever their type
)

// Encoders are what people call the kinds of models that can be imported to embed with, in order.
func Encoders() []string { return encoder.Titles() }

// EmbeddingDecoders are what people call the decoders that can be imported to embed with, in order.
func EmbeddingDecoders() []string { return decoder.EmbedderTitles() }

// Generators are what people call the families that can be imported to generate with.
func Generators() []string { return decoder.Titles() }

// Options say what to import, and how.
type Options struct {
	// Source is a GGUF file or a Hugging Face directory.
	Source string
	// Dir is the folder of bundles; the new one is made in it.
	Dir string
	// Name is the bundle's; "" derives it from Source.
	Name string
	// Task is naming.TaskEmbed or naming.TaskGenerate; "" is what the checkpoint was made for.
	Task string
	// Precision is one of the constants; "" means fp32.
	Precision string
	// Adaptation is which of the checkpoint's own adapters is folded into its weights; "" is none.
	Adaptation string
	// Adapter is the folder of a LoRA adapter, as peft saves one, that is folded into the weights; "" is none.
	Adapter string
	// Origin is where the checkpoint came from, for the bundle's record; "" is Source's own name.
	Origin string
	// Card, if not nil, has a graph for a card made too.
	Card *CardOptions
	// Replace has a bundle of that name give way. Without it Import refuses to make another.
	Replace bool
	// Progress, if not nil, is told now and then how many of the checkpoint's bytes are done.
	Progress func(done, total int64)
}

// A Result is what was imported.
type Result struct {
	Name, Dir    string
	Task         string // naming.TaskEmbed or naming.TaskGenerate
	Architecture string
	Files        []models.File
}
