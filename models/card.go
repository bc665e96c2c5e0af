package models

import (
	"errors"
	"fmt"
	"path"
	"slices"
)

// ErrNoCardGraph says that a bundle has no graph for a card yet.
var ErrNoCardGraph = errors.New("the bundle has no graph for a card")

// CardLayout is SlotsLayout for a card: caches of CacheType, logits that stay there in fp32, and the likeliest token
// of each row beside them. Package checkpoint specifies it.
const CardLayout = "card-1"

// Precisions that graphs for a card compute in.
const (
	FP16 = "fp16"
	BF16 = "bf16"
)

// A CardGraph is a graph that was made of the bundle's weights for a card. It never runs in the place of the graph for
// processors.
type CardGraph struct {
	// File is the ONNX file. It shares the weights of the graphs for processors.
	File string `json:"file"`
	// Precision is FP16 or BF16.
	Precision string `json:"precision"`
	// WideStream tells that the stream between layers is fp32, of decoders. WideLayers are the layers that compute with
	// fp32, of decoders only their MLPs.
	WideStream bool  `json:"fp32_stream,omitempty"`
	WideLayers []int `json:"fp32_layers,omitempty"`
	// Choice is the ONNX file that takes the Candidates greatest logits of each row, of decoders.
	Choice     string `json:"choice,omitempty"`
	Candidates int    `json:"candidates,omitempty"`
	// Peak is the greatest magnitude of a value that sample texts came to with the graph for processors, 0 where that was
	// not measured.
	Peak float64 `json:"peak,omitempty"`
	// Why says how the above was settled.
	Why string `json:"why"`
}

// CardFile names the graph for a card of a precision, ChoiceFile the one that chooses among its logits.
func CardFile(precision string) string { return "onnx/card_" + precision + ".onnx" }

// ChoiceFile is the same for every precision.
const ChoiceFile = "onnx/card_choice.onnx"

// isCard tells graphs for a card by their names, also those that nothing recorded.
func isCard(file string) bool {
	return slices.ContainsFunc([]string{CardFile(FP16), CardFile(BF16), ChoiceFile},
		func(own string) bool { return path.Base(own) == path.Base(file) })
}

// files are what the graph consists of beside the weights.
func (c *CardGraph) files() []string {
	if c.Choice == "" {
		return []string{c.File}
	}
	return []string{c.File, c.Choice}
}

// OpenCard is OpenBundle with the graph for a card: that of a precision, or with "" the first one that was made. Where
// there is none the error is ErrNoCardGraph. Its SHA256 is another than that of the graph for processors.
func OpenCard(dir, precision string) (*Spec, error) {
	return openDir(dir, func(s *Spec) error { return s.openCard(precision) })
}

func (s *Spec) openCard(precision string) error {
	record, err := s.record()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(record.Card, func(c CardGraph) bool { return precision == "" || precision == c.Precision })
	if i < 0 {
		return fmt.Errorf("%w of precision %q; textmill models import --device cuda makes one, and so does the first session on a card",
			ErrNoCardGraph, precision)
	}
	s.Card = &record.Card[i]
	return s.open("")
}

// asCard has what was read of the bundle's decoder say what the graph for a card is.
func (s *Spec) asCard() error {
	if !s.Decoder.Own() {
		return fmt.Errorf("%w: %s was recorded for a decoder of layout %s", ErrBundle, s.Card.File, s.Decoder.Layout)
	}
	types := map[string]string{FP16: "float16", BF16: "bfloat16"}
	cache, ok := types[s.Card.Precision]
	if !ok {
		return fmt.Errorf("%w: precision %q of %s is not known to this version", ErrBundle, s.Card.Precision, s.Card.File)
	}
	s.Decoder.Layout, s.Decoder.CacheType = CardLayout, cache
	if n := s.Decoder.OriginalPositions; n > 0 {
		s.note("on a card texts have at most %d tokens: longer ones are rotated in another way, for which there is no graph "+
			"for a card", n)
		s.Decoder.MaxPositions, s.Decoder.OriginalPositions, s.MaxLength = n, 0, n
	}
	s.Decoder.Graphs = []DecoderGraph{{File: s.Card.File, Activations: cache, MinRows: 1}}
	return nil
}
