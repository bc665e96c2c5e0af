// Package traces writes what a model does with one text while it runs, without a queue.
package traces

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/local"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/work/trace"
)

// Options describes one run of `textmill trace`.
type Options struct {
	Model  string
	Params map[string]string
	Text   string
	Top    int // candidates of each new token
	Values int // first values of each vector
	Out    io.Writer
	JSON   bool // JSONL instead of text
	Color  bool // Out is a terminal
	Log    *slog.Logger
}

// Write tells what a model of the cache does with one text, token by token, while it runs.
func Write(ctx context.Context, cfg config.Config, o Options) error {
	if o.Top < 0 || o.Values < 0 {
		return fmt.Errorf("%w: --top and --values are 0 or more", local.ErrUsage)
	}
	spec, err := bundle.Named(cfg, o.Model)
	if err != nil {
		return err
	}
	raw, err := jobs.ParamsJSON(spec.Task, o.Params)
	if err == nil {
		err = checkParams(spec.Task, raw)
	}
	if err != nil {
		return fmt.Errorf("%w: --param: %w", local.ErrUsage, err)
	}
	record := local.Line{Text: o.Text, IsText: true}.Record(spec.Task, int(cfg.Limits.RecordBytes))
	if record.Err != nil {
		return record.Err
	}
	if o.Color {
		o.Out = plain.Raw(o.Out)
	}
	out := bufio.NewWriter(o.Out)
	emit := o.emit(out)
	options := trace.Options{Top: o.Top, Values: o.Values}
	if spec.Task == naming.TaskGenerate {
		err = o.generation(ctx, cfg, record, raw, options, emit)
	} else {
		err = o.embedding(ctx, cfg, record, raw, options, emit)
	}
	return errors.Join(err, out.Flush())
}

func (o Options) generation(ctx context.Context, cfg config.Config, r jobs.Record, raw []byte, how trace.Options,
	emit func(trace.Event) error) (err error) {
	g, err := open.GenerationNamed(ctx, cfg, o.Model, 1, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.End()) }()
	m := trace.Generation{Spec: g.Spec(), Device: g.Device(), Engine: g.Engine, Tokenizer: g.Tokenizer}
	return m.Trace(ctx, r, raw, how, emit)
}

func (o Options) embedding(ctx context.Context, cfg config.Config, r jobs.Record, raw []byte, how trace.Options,
	emit func(trace.Event) error) (err error) {
	e, err := open.EmbeddingNamed(ctx, cfg, o.Model, true, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.End()) }()
	m := trace.Embedding{Spec: e.Spec, Embedder: e, Engine: e.Engine, Tokenizer: e.Tokenizer}
	return m.Trace(ctx, r, raw, how, emit)
}

func checkParams(task string, raw []byte) error {
	if task == naming.TaskGenerate {
		_, err := jobs.ParseGenerateParams(raw)
		return err
	}
	_, err := jobs.ParseEmbedParams(raw)
	return err
}

// emit writes each event at once: the next may take the model a while.
func (o Options) emit(out *bufio.Writer) func(trace.Event) error {
	write := trace.NewText(out, o.Color).Emit
	if o.JSON {
		write = func(e trace.Event) error { return plain.JSON(out, e) }
	}
	return func(e trace.Event) error { return errors.Join(write(e), out.Flush()) }
}
