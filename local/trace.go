package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"textmill/config"
	"textmill/jobs"
	"textmill/naming"
	"textmill/plain"
	"textmill/work/trace"
)

// TraceOptions describes one run of `textmill trace`.
type TraceOptions struct {
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

// Trace tells what a model of the cache does with one text, token by token, while it runs.
func Trace(ctx context.Context, cfg config.Config, o TraceOptions) (err error) {
	if o.Top < 0 || o.Values < 0 {
		return fmt.Errorf("%w: --top and --values are 0 or more", ErrUsage)
	}
	spec, err := bundleNamed(cfg, o.Model)
	if err != nil {
		return err
	}
	raw, err := jobs.ParamsJSON(spec.Task, o.Params)
	if err == nil {
		err = checkParams(spec.Task, raw)
	}
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	record := line{text: o.Text, isText: true}.record(spec.Task, int(cfg.Limits.RecordBytes))
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
		g, err := openGenerator(ctx, cfg, o.Model, 1, o.Log)
		if err != nil {
			return err
		}
		defer func() {
			g.Stop()
			err = errors.Join(err, g.Close())
		}()
		m := trace.Generation{Spec: g.spec, Device: g.Device(), Engine: g.Engine, Tokenizer: g.Tokenizer}
		return errors.Join(m.Trace(ctx, record, raw, options, emit), out.Flush())
	}
	m, err := openEmbedder(ctx, cfg, o.Model, true, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	t := trace.Embedding{Spec: spec, Embedder: m, Engine: m.Engine, Tokenizer: m.Tokenizer}
	return errors.Join(t.Trace(ctx, record, raw, options, emit), out.Flush())
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
func (o TraceOptions) emit(out *bufio.Writer) func(trace.Event) error {
	write := trace.NewText(out, o.Color).Emit
	if o.JSON {
		write = func(e trace.Event) error { return writeJSON(out, e) }
	}
	return func(e trace.Event) error { return errors.Join(write(e), out.Flush()) }
}
