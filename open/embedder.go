package open

import (
	"context"
	"errors"
	"log/slog"

	"textmill/config"
	"textmill/models"
	"textmill/tokenize"
	"textmill/work/embedding"
)

// An Embedder is an embedding model that is ready to work.
type Embedder struct {
	*models.Embedder
	Engine    *embedding.Engine
	Tokenizer *tokenize.Tokenizer // Hugging Face's tokens, whatever the engine runs
	end       func() error
}

// EmbedderOptions are what the configuration does not say.
type EmbedderOptions struct {
	Session models.SessionOptions      // from Session
	Observe func(embedding.BatchStats) // may be nil
	Log     *slog.Logger
}

// Embedding loads an embedding model as the configuration says.
func Embedding(ctx context.Context, cfg config.Config, spec *models.Spec, o EmbedderOptions) (*Embedder, error) {
	tok, err := spec.Tokenizer()
	if err != nil {
		return nil, err
	}
	session, err := models.OpenEmbedder(ctx, spec, o.Session)
	if err != nil {
		return nil, err
	}
	made, end, err := tokenizerOf(ctx, cfg, spec, tok, o.Log)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	engine := embedding.New(embedding.Options{
		Spec: spec, Embedder: session, Tokenizer: made, WindowTokens: cfg.Limits.WindowTokens,
		RunTimeout: cfg.Limits.RunTimeout, Observe: o.Observe,
	})
	return &Embedder{Embedder: session, Engine: engine, Tokenizer: tok, end: end}, nil
}

// Close gives back what the model holds. Its engine has been closed before.
func (e *Embedder) Close() error { return errors.Join(e.end(), e.Embedder.Close()) }
