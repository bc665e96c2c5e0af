package open

import (
	"context"
	"errors"
	"log/slog"

	"textmill/config"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/session"
	"textmill/tokenize"
	"textmill/work/embedding"
	"textmill/work/rows"
)

// An Embedder is an embedding model that is ready to work.
type Embedder struct {
	*embed.Embedder
	Spec      *models.Spec
	Engine    *embedding.Engine
	Tokenizer *tokenize.Tokenizer // Hugging Face's tokens, whatever the engine runs
	end       func() error
}

// EmbedderOptions are what the configuration does not say.
type EmbedderOptions struct {
	Session session.Options            // from Session
	Observe func(embedding.BatchStats) // may be nil
	Timed   rows.Timed                 // likewise
	Log     *slog.Logger
}

// Embedding loads an embedding model as the configuration says.
func Embedding(ctx context.Context, cfg config.Config, spec *models.Spec, o EmbedderOptions) (*Embedder, error) {
	tok, err := spec.Tokenizer()
	if err != nil {
		return nil, err
	}
	o.Session.Log = o.Log
	spec, model, err := openEmbedder(ctx, cfg, spec, o)
	if err != nil {
		return nil, err
	}
	made, end, err := tokenizerOf(ctx, cfg, spec, tok, o.Log)
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	engine := embedding.New(embedding.Options{
		Spec: spec, Embedder: model, Tokenizer: made, WindowTokens: cfg.Limits.WindowTokens,
		RunTimeout: cfg.Limits.RunTimeout, Observe: o.Observe, Timed: o.Timed,
	})
	return &Embedder{Embedder: model, Spec: spec, Engine: engine, Tokenizer: tok, end: end}, nil
}

// openEmbedder opens the graph for the device; where auto chose a card and the model does not run there, the processor
// will do.
func openEmbedder(ctx context.Context, cfg config.Config, spec *models.Spec,
	o EmbedderOptions) (*models.Spec, *embed.Embedder, error) {
	there, err := forDevice(ctx, cfg, spec, &o.Session, o.Log)
	if err == nil {
		var model *embed.Embedder
		if model, err = embed.Open(ctx, there, o.Session); err == nil {
			return there, model, nil
		}
	}
	if !o.Session.Auto || o.Session.Device == "cpu" || ctx.Err() != nil {
		return nil, nil, err
	}
	o.Log.WarnContext(ctx, "device auto: the model runs on the processor, since on the card it did not", "model", spec.Name,
		"device", o.Session.Device, "error", err)
	o.Session.Device = "cpu"
	model, err := embed.Open(ctx, spec, o.Session)
	return spec, model, err
}

// Close gives back what the model holds. Its engine has been closed before.
func (e *Embedder) Close() error { return errors.Join(e.end(), e.Embedder.Close()) }
