package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"textmill/config"
	"textmill/jobs"
	"textmill/models"
	"textmill/tokenize"
	"textmill/tokenize/sugarme"
	"textmill/work/embedding"
)

// tokenizerOf is what models.<name>.tokenizer_engine makes of an embedding model's tokenizer; end gives back what it
// holds, when nothing uses it any more.
func tokenizerOf(ctx context.Context, cfg config.Config, spec *models.Spec, ours *tokenize.Tokenizer,
	log *slog.Logger) (t embedding.Tokenizer, end func() error, err error) {
	if cfg.Models[spec.Name].TokenizerEngine != config.EngineSugarme {
		return ours, func() error { return nil }, nil
	}
	library, err := sugarme.OpenTokenizer(ctx, ours, filepath.Join(spec.Dir, "tokenizer.json"), sugarme.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("tokenizer_engine sugarme: %w", err)
	}
	differ, of, err := library.Sample()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("tokenizer_engine sugarme: %w", err), library.Close())
	}
	log.WarnContext(ctx, "tokens are made by sugarme/tokenizer, not as Hugging Face does", "model", spec.Name,
		"known", sugarme.Differences, "samples", of, "samples_that_differ", differ)
	return libraryTokenizer{library}, library.Close, nil
}

// libraryTokenizer gives the library's failures the classes that rows have.
type libraryTokenizer struct{ *sugarme.Tokenizer }

func (t libraryTokenizer) AppendBody(
	ids []int32, spans []tokenize.Span, text string,
) ([]int32, []tokenize.Span, error) {
	ids, spans, err := t.Tokenizer.AppendBody(ids, spans, text)
	switch {
	case err == nil:
		return ids, spans, nil
	case errors.Is(err, sugarme.ErrUnavailable):
		return ids, spans, fmt.Errorf("%w: %w", embedding.ErrUnavailable, err)
	case errors.Is(err, sugarme.ErrTimeout):
		return ids, spans, &jobs.RecordError{Class: jobs.Timeout, Message: err.Error()}
	}
	return ids, spans, &jobs.RecordError{Class: jobs.ModelFailed, Message: err.Error()}
}
