package bundles

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"textmill/config"
	"textmill/ground/places"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/open/bundle"
)

// Encoders are what people call the kinds of models that can be imported to embed with.
func Encoders() []string { return checkpoint.Encoders() }

// EmbeddingDecoders are what people call the decoders that can be imported to embed with.
func EmbeddingDecoders() []string { return checkpoint.EmbeddingDecoders() }

// Generators are what people call those that can be imported to generate with.
func Generators() []string { return checkpoint.Generators() }

// ImportOptions describes one run of `textmill models import`.
type ImportOptions struct {
	Source  string // a GGUF file, or a Hugging Face directory with safetensors
	Name    string // empty: derived from Source
	Task    string // embed or generate; empty: what the checkpoint was made for
	Adapter string // the folder of a LoRA adapter that is folded in; empty: none
	// Adaptation is the adapter of the checkpoint that is folded in; empty: none.
	Adaptation string
	Precision  string // fp32, q8, q4 or as-is; empty: fp32; fp16 and bf16: fp32, and that for a card
	Device     string // cuda: make the graph for a card too; empty or cpu: only with fp16 and bf16
	Out        io.Writer
	Progress   io.Writer
	JSON       bool
}

// Import turns a checkpoint into a model bundle in the cache.
func Import(ctx context.Context, cfg config.Config, o ImportOptions) error {
	card, err := o.card(cfg)
	if err != nil {
		return err
	}
	dir := places.Models(cfg.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	begun, last := time.Now(), time.Now()
	got, err := checkpoint.Import(ctx, checkpoint.Options{Source: o.Source, Dir: dir, Name: o.Name, Task: o.Task,
		Precision: o.Precision, Adaptation: o.Adaptation, Adapter: o.Adapter, Card: card,
		Progress: func(done, total int64) {
			if time.Since(last) > progressEvery {
				last = time.Now()
				fmt.Fprintf(o.Progress, "%s: %d of %d MB read\n", o.Source, done>>20, total>>20)
			}
		}})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	s, err := bundle.Named(cfg, got.Name)
	if err != nil {
		return err
	}
	for _, note := range s.Notes {
		fmt.Fprintf(o.Progress, "%s: %s\n", got.Name, note)
	}
	for _, c := range s.Cards {
		fmt.Fprintf(o.Progress, "%s: %s\n", got.Name, cardLine(c))
	}
	if o.JSON {
		return plain.JSON(o.Out, answerOf(s))
	}
	_, err = fmt.Fprintf(o.Out, "%s: %s, to %s, imported in %.1f s, model_sha256 %s\n",
		got.Name, got.Architecture, got.Task, time.Since(begun).Seconds(), s.SHA256)
	return err
}

// card says how a graph for a card is made, nil for not at all, and leaves the weights' own precision.
func (o *ImportOptions) card(cfg config.Config) (*checkpoint.CardOptions, error) {
	c := &checkpoint.CardOptions{Library: cmp.Or(cfg.Runtime.Library, places.Library(cfg.Home))}
	device := o.Device == "cuda" || strings.HasPrefix(o.Device, "cuda:")
	switch o.Precision {
	case "", checkpoint.FP32, checkpoint.Q8, checkpoint.Q4, checkpoint.AsIs:
	case models.FP16, models.BF16:
		c.Precision, o.Precision, device = o.Precision, checkpoint.FP32, true
	default:
		return nil, fmt.Errorf("%w: precision %q is none of %s, %s, %s, %s, %s, %s", local.ErrUsage, o.Precision,
			checkpoint.FP32, checkpoint.Q8, checkpoint.Q4, checkpoint.AsIs, models.FP16, models.BF16)
	}
	if o.Device != "" && o.Device != "cpu" && !device {
		return nil, fmt.Errorf("%w: device %q is none of cpu, cuda", local.ErrUsage, o.Device)
	}
	if !device {
		return nil, nil //nolint:nilnil // no graph for a card is no mistake
	}
	return c, nil
}
