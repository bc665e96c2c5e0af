package checkpoint

import (
	"context"
	"path/filepath"

	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
)

// WriteDecoderCard writes a graph for a card of a bundle's decoder as file, below the bundle.
func WriteDecoderCard(ctx context.Context, dir, file string, c decoder.Card) error {
	spec, err := models.OpenBundle(dir)
	if err != nil {
		return err
	}
	m, err := reload(ctx, spec)
	if err != nil {
		return err
	}
	return m.decoder.CardGraph(c).WriteFile(filepath.Join(dir, filepath.FromSlash(file)))
}
