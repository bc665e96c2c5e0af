package bundles

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"textmill/config"
	"textmill/ground/places"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/models/checkpoint"
	"textmill/open/bundle"
)

// ImportOptions describes one run of `textmill models import`.
type ImportOptions struct {
	Source    string // a GGUF file, or a Hugging Face directory with safetensors
	Name      string // empty: derived from Source
	Precision string // fp32, q8, q4 or as-is; empty: fp32
	Out       io.Writer
	Progress  io.Writer
	JSON      bool
}

// Import turns a checkpoint into a model bundle in the cache.
func Import(ctx context.Context, cfg config.Config, o ImportOptions) error {
	switch o.Precision {
	case "", checkpoint.FP32, checkpoint.Q8, checkpoint.Q4, checkpoint.AsIs:
	default:
		return fmt.Errorf("%w: precision %q is none of %s, %s, %s, %s", local.ErrUsage, o.Precision,
			checkpoint.FP32, checkpoint.Q8, checkpoint.Q4, checkpoint.AsIs)
	}
	dir := places.Models(cfg.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	begun, last := time.Now(), time.Now()
	got, err := checkpoint.Import(ctx, checkpoint.Options{Source: o.Source, Dir: dir, Name: o.Name,
		Precision: o.Precision,
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
	if o.JSON {
		return plain.JSON(o.Out, answerOf(s))
	}
	_, err = fmt.Fprintf(o.Out, "%s: %s, to %s, imported in %.1f s, model_sha256 %s\n",
		got.Name, got.Architecture, got.Task, time.Since(begun).Seconds(), s.SHA256)
	return err
}
