package open

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"textmill/config"
	"textmill/models"
	"textmill/models/generate"
	"textmill/tokenize"
	"textmill/work/generation"
)

// A Generator is a generation model that is ready to work.
type Generator struct {
	*generate.Generator
	Engine    *generation.Engine
	Tokenizer *tokenize.Tokenizer
	notes     []string
}

// Notes are things worth knowing about this session, beside those of the Spec.
func (g *Generator) Notes() []string { return slices.Concat(g.Generator.Notes(), g.notes) }

// Generation loads a generation model as the configuration says. log, which may be nil, is told what takes its time
// when a model is opened, observe, which may be nil, of every run.
func Generation(ctx context.Context, cfg config.Config, spec *models.Spec, log *slog.Logger,
	observe func(generate.RunStats)) (*Generator, error) {
	tok, err := spec.Tokenizer()
	if err != nil {
		return nil, err
	}
	template, note, err := generation.LoadTemplate(spec)
	if err != nil {
		return nil, err
	}
	m, l := cfg.Models[spec.Name], cfg.Limits
	if m.TokenizerEngine == config.EngineSugarme {
		return nil, fmt.Errorf("models.%s.tokenizer_engine: sugarme is for embedding models, this one generates", spec.Name)
	}
	o := Session(cfg, spec.Name)
	o.Log = log
	g, err := generate.Open(ctx, spec, generate.Options{
		Session: o, Tokenizer: tok, Observe: observe,
		Slots: cmp.Or(m.Slots, cfg.Generate.Slots), Memory: int64(cfg.Generate.Memory), MaxLength: m.MaxLength,
	})
	if err != nil {
		return nil, err
	}
	out := &Generator{Generator: g, Tokenizer: tok,
		Engine: generation.New(generation.Options{Spec: g.Spec(), Generator: g, Tokenizer: tok, Template: template,
			Limits: &generation.Limits{MaxNewTokens: l.MaxNewTokens, N: l.N, TopLogprobs: l.TopLogprobs, Stop: l.Stop,
				TokensPerShard: int64(l.TokensPerShard)}})}
	if note != "" {
		out.notes = []string{note}
	}
	return out, nil
}
