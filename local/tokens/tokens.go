// Package tokens turns texts into token IDs and back without a queue.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/open/bundle"
	"textmill/tokenize"
)

// Options describes one run of `textmill tokenize`.
type Options struct {
	Model             string // of the cache: a text is cut where the model would cut it
	File              string // or a tokenizer.json: its own truncation and padding apply
	Engine            string // config.EngineTextmill, "" likewise, or config.EngineSugarme, which neither cuts nor pads
	Decode            bool
	NoSpecialTokens   bool
	SkipSpecialTokens bool
	Texts             local.Texts
	Out               io.Writer
	Log               *slog.Logger
}

// Convert turns texts into token IDs or back, one JSON line for each, in order and in constant memory.
func Convert(ctx context.Context, cfg config.Config, o Options) (err error) {
	work, end, err := tokenizeWork(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	out := local.NewAnswers(o.Out)
	err = local.SideBySide(ctx, o.Texts, int(cfg.Limits.RecordBytes), work, out)
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	o.Log.Log(ctx, o.Texts.Level(out.Failed), "tokenized", "records", out.Lines, "errors", out.Failed)
	return nil
}

// tokenizeWork is what is done with each line; end is to be called when no line is left.
func tokenizeWork(ctx context.Context, cfg config.Config, o Options) (work func(local.Line) local.Answer,
	end func() error, err error) {
	if o.Engine == config.EngineSugarme {
		return libraryWork(ctx, cfg, o)
	}
	t, err := openTokenizer(cfg, o)
	if err != nil {
		return nil, nil, err
	}
	end = func() error { return nil }
	if o.Decode {
		return func(l local.Line) local.Answer { return t.decode(l, o.SkipSpecialTokens) }, end, nil
	}
	recordBytes := int(cfg.Limits.RecordBytes)
	return func(l local.Line) local.Answer { return t.encode(l.Record(naming.TaskEmbed, recordBytes)) }, end, nil
}

// textTokenizer is a tokenizer with the options of the command.
type textTokenizer struct {
	*tokenize.Tokenizer
	options   tokenize.Options
	lowercase bool
}

func openTokenizer(cfg config.Config, o Options) (*textTokenizer, error) {
	if o.File != "" {
		t, err := tokenize.Load(o.File)
		if err != nil {
			return nil, err
		}
		return &textTokenizer{Tokenizer: t, options: tokenize.Options{
			NoSpecialTokens: o.NoSpecialTokens, Truncation: t.Truncation(), Padding: t.Padding(),
		}}, nil
	}
	spec, err := bundle.Named(cfg, o.Model)
	if err != nil {
		return nil, err
	}
	t, err := spec.Tokenizer()
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", o.Model, err)
	}
	return &textTokenizer{Tokenizer: t, lowercase: spec.Lowercase, options: tokenize.Options{
		NoSpecialTokens: o.NoSpecialTokens, Truncation: &tokenize.Truncation{MaxLength: spec.MaxLength},
	}}, nil
}

func (t *textTokenizer) encode(r jobs.Record) local.Answer {
	if r.Err != nil {
		return local.Failure(r.ID, r.Err)
	}
	text := r.Text
	if t.lowercase {
		text = strings.ToLower(text)
	}
	e, err := t.Encode(text, t.options)
	if err != nil {
		return local.Failure(r.ID, &jobs.RecordError{Class: jobs.InvalidRecord, Message: "text: " + err.Error()})
	}
	return encoded(r.ID, e)
}

func encoded(id string, e *tokenize.Encoding) local.Answer {
	b := local.AppendString([]byte(`{"id":`), id)
	b = local.AppendInts(append(b, `,"input_ids":`...), e.IDs)
	b = local.AppendInts(append(b, `,"attention_mask":`...), e.AttentionMask)
	b = local.AppendInts(append(b, `,"token_type_ids":`...), e.TypeIDs)
	b = append(b, `,"offsets":[`...)
	for i, s := range e.Offsets {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), int64(s.Start), 10)
		b = append(strconv.AppendInt(append(b, ','), int64(s.End), 10), ']')
	}
	b = append(b, `],"tokens":[`...)
	for i, token := range e.Tokens {
		if i > 0 {
			b = append(b, ',')
		}
		b = local.AppendString(b, token)
	}
	return local.Answer{Line: append(b, "]}"...)}
}
