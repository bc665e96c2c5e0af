package models

// What a graph of packed texts takes and gives: the tokens of all texts one behind the other, without padding. Numbers
// are int32 and count from 0, but for shares and what leaves, which are float32.
const (
	PackedIDs       = "input_ids"                  // [tokens]
	PackedTypes     = "token_type_ids"             // [tokens], of models with types only
	PackedPositions = "position_ids"               // [tokens]: the place of each in its text
	PackedOffsets   = "token_offset"               // [texts, sequence]: of each token, text × sequence + place; then what is left over
	PackedLengths   = "cumulative_sequence_length" // [texts + 1]: tokens before each text, and all

	// PackedSummed is [rows, a multiple of PackedStep]: which tokens' vectors a row of PackedVectors is the sum of, times
	// its value of PackedShares, [rows, 1]. The number of all tokens stands for none. So a mean, a first and a last token
	// are three lists.
	PackedSummed = "summed_tokens"
	PackedShares = "summed_shares"
	// PackedCompared is [rows, any]: of which tokens' vectors a row of PackedGreatest has the greatest value in each
	// dimension. A token may be named again.
	PackedCompared = "compared_tokens"
	// PackedKept is [rows]: the tokens of PackedEach.
	PackedKept = "kept_tokens"

	PackedVectors  = "vectors"
	PackedGreatest = "greatest"
	PackedEach     = "token_vectors"
)

// PackedStep is what the lists of PackedSummed are filled up to a multiple of. Their order of addition is such that
// what fills them up changes no bit.
const PackedStep = 16
