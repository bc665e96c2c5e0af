package open

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"textmill/config"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/generate"
	"textmill/tokenize"
	"textmill/work/generation"
	"textmill/work/rows"
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

// GeneratorOptions say who is told what, each of whom may be nil.
type GeneratorOptions struct {
	Observe func(generate.RunStats) // of every run
	Timed   rows.Timed
	Log     *slog.Logger // what takes its time when a model is opened
}

// Generation loads a generation model as the configuration says.
func Generation(ctx context.Context, cfg config.Config, spec *models.Spec, told GeneratorOptions) (*Generator, error) {
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
	o.Log = told.Log
	g, notes, err := onDevice(ctx, spec, generate.Options{
		Session: o, Tokenizer: tok, Observe: told.Observe,
		Slots: cmp.Or(m.Slots, cfg.Generate.Slots), Memory: int64(cfg.Generate.Memory), MaxLength: m.MaxLength,
	})
	if err != nil {
		return nil, err
	}
	out := &Generator{Generator: g, Tokenizer: tok, notes: notes,
		Engine: generation.New(generation.Options{Spec: g.Spec(), Generator: g, Tokenizer: tok, Template: template,
			Timed: told.Timed,
			Limits: &generation.Limits{MaxNewTokens: l.MaxNewTokens, N: l.N, TopLogprobs: l.TopLogprobs, Stop: l.Stop,
				TokensPerShard: int64(l.TokensPerShard)}})}
	if note != "" {
		out.notes = append(out.notes, note)
	}
	return out, nil
}

// onDevice opens the graph that is for where the model is to run: for a card one is made once. Where auto leads to a
// card on which that fails, the model runs on the processor, and the notes say why.
func onDevice(ctx context.Context, spec *models.Spec, o generate.Options) (*generate.Generator, []string, error) {
	var err error
	if o.Session, err = o.Session.WithDefaults(); err != nil {
		return nil, nil, err
	}
	if o.Session.Device == "cpu" {
		g, err := generate.Open(ctx, spec, o)
		return g, nil, err
	}
	g, err := onCard(ctx, spec, o)
	switch {
	case err == nil:
		return g, nil, nil
	case !o.Session.Auto || ctx.Err() != nil:
		return nil, nil, fmt.Errorf("open model %s on %s: %w", spec.Name, o.Session.Device, err)
	}
	notes := []string{fmt.Sprintf("device auto: runs on cpu, since on the card it did not: %v", err)}
	o.Session.Device = "cpu"
	g, err = generate.Open(ctx, spec, o)
	return g, notes, err
}

func onCard(ctx context.Context, spec *models.Spec, o generate.Options) (*generate.Generator, error) {
	made, err := checkpoint.Card(ctx, spec.Dir, checkpoint.CardOptions{Library: o.Session.Library,
		Note: func(what string) {
			o.Session.Log.InfoContext(ctx, "a card needs a graph of its own, once", "model", spec.Name, "reason", what)
		}})
	if err != nil {
		return nil, err
	}
	made.Name = spec.Name
	return generate.Open(ctx, made, o)
}
