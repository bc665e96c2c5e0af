package models

import (
	"fmt"

	"textmill/models/internal/lookup"
)

// An EmbeddingTable reads rows of the matrix that the model looks tokens up in, [Rows, Dim], from the files of the
// bundle as they are asked for. It is safe for concurrent use until Close.
type EmbeddingTable struct{ *lookup.Table }

// OpenEmbeddingTable finds the matrix in the graph that runs: by its name where textmill wrote a decoder, else where
// the token IDs are looked up.
func (s *Spec) OpenEmbeddingTable() (EmbeddingTable, error) {
	t, err := s.lookup()
	if err != nil {
		return EmbeddingTable{}, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return EmbeddingTable{t}, nil
}

func (s *Spec) lookup() (*lookup.Table, error) {
	ids := "input_ids"
	for _, in := range s.Feeds {
		if in.Role == RoleIDs {
			ids = in.Name
		}
	}
	if s.Decoder == nil || s.Decoder.Embedding.Tensor == "" {
		return lookup.Find(s.GraphPath(), ids)
	}
	e := s.Decoder.Embedding
	if e.Scale == "" {
		return lookup.Open(s.GraphPath(), e.Tensor, nil)
	}
	return lookup.Open(s.GraphPath(), e.Tensor, &lookup.Blocks{Scale: e.Scale, Low: e.Low, Bits: e.Bits,
		Size: e.BlockSize, Zero: e.Zero})
}
