package open

import (
	"context"
	"fmt"
	"log/slog"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/open/bundle"
)

// fewBatchTokens is a sound batch size where learning the best one would take longer than the work.
const fewBatchTokens = 1024

// EmbeddingNamed loads an embedding model by its name, for a few texts or for many.
func EmbeddingNamed(
	ctx context.Context, cfg config.Config, name string, few bool, log *slog.Logger,
) (*Embedder, error) {
	spec, err := bundle.Named(cfg, name)
	if err != nil {
		return nil, err
	}
	if spec.Task != naming.TaskEmbed {
		return nil, fmt.Errorf("model %s is made for the task %s, not for embedding", name, spec.Task)
	}
	o := EmbedderOptions{Session: Session(cfg, name), Log: log}
	if few && o.Session.BatchTokens == 0 {
		o.Session.BatchTokens = fewBatchTokens
	}
	e, err := Embedding(ctx, cfg, spec, o)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	spec = e.Spec
	for _, note := range spec.Notes {
		log.DebugContext(ctx, "model", "model", name, "note", note)
	}
	if depends := e.Dependence(); depends != "" {
		log.WarnContext(ctx, depends, "model", name, "graph", spec.Graph)
	}
	return e, nil
}

// End stops what runs and gives back what the model holds.
func (e *Embedder) End() error {
	e.Engine.Stop()
	e.Engine.Close()
	return e.Close()
}

// GenerationNamed loads a generation model by its name, for that many texts, 0 for more than are known.
func GenerationNamed(
	ctx context.Context, cfg config.Config, name string, few int, log *slog.Logger,
) (*Generator, error) {
	s, err := bundle.Named(cfg, name)
	if err != nil {
		return nil, err
	}
	if s.Task != naming.TaskGenerate {
		return nil, fmt.Errorf("model %s is made for the task %s, not for generation", name, s.Task)
	}
	if few > 0 { // of which no more run at a time
		m := cfg.Models[name]
		if m.Slots == 0 {
			m.Slots = min(few, cfg.Generate.Slots)
		}
		cfg.Models = map[string]config.Model{name: m}
	}
	g, err := Generation(ctx, cfg, s, GeneratorOptions{Log: log})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	s = g.Spec()
	for _, note := range append(s.Notes, g.Notes()...) {
		log.DebugContext(ctx, "model", "model", name, "note", note)
	}
	if depends := g.Dependence(); depends != "" {
		log.WarnContext(ctx, depends, "model", name, "graph", s.Graph)
	}
	return g, nil
}

// End stops what runs and gives back what the model holds.
func (g *Generator) End() error {
	g.Stop()
	return g.Close()
}
