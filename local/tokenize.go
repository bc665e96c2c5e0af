package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strconv"
	"strings"

	"textmill/config"
	"textmill/jobs"
	"textmill/naming"
	"textmill/tokenize"
)

// TokenizeOptions describes one run of `textmill tokenize`.
type TokenizeOptions struct {
	Model             string // of the cache: a text is cut where the model would cut it
	File              string // or a tokenizer.json: its own truncation and padding apply
	Engine            string // EngineTextmill, "" likewise, or EngineSugarme, which neither cuts nor pads
	Decode            bool
	NoSpecialTokens   bool
	SkipSpecialTokens bool
	Texts             Texts
	Out               io.Writer
	Log               *slog.Logger
}

// Tokenize turns texts into token IDs or back, one JSON line for each, in order and in constant memory.
func Tokenize(ctx context.Context, cfg config.Config, o TokenizeOptions) (err error) {
	work, end, err := tokenizeWork(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	out := newAnswerWriter(o.Out)
	err = sideBySide(ctx, o.Texts, int(cfg.Limits.RecordBytes), work, out)
	if err := errors.Join(err, out.flush()); err != nil {
		return err
	}
	o.Log.Log(ctx, o.Texts.level(out.failed), "tokenized", "records", out.lines, "errors", out.failed)
	return nil
}

// tokenizeWork is what is done with each line; end is to be called when no line is left.
func tokenizeWork(ctx context.Context, cfg config.Config, o TokenizeOptions) (work func(line) answer, end func() error, err error) {
	if o.Engine == EngineSugarme {
		return libraryWork(ctx, cfg, o)
	}
	t, err := openTokenizer(cfg, o)
	if err != nil {
		return nil, nil, err
	}
	end = func() error { return nil }
	if o.Decode {
		return func(l line) answer { return t.decode(l, o.SkipSpecialTokens) }, end, nil
	}
	recordBytes := int(cfg.Limits.RecordBytes)
	return func(l line) answer { return t.encode(l.record(naming.TaskEmbed, recordBytes)) }, end, nil
}

// textTokenizer is a tokenizer with the options of the command.
type textTokenizer struct {
	*tokenize.Tokenizer
	options   tokenize.Options
	lowercase bool
}

func openTokenizer(cfg config.Config, o TokenizeOptions) (*textTokenizer, error) {
	if o.File != "" {
		t, err := tokenize.Load(o.File)
		if err != nil {
			return nil, err
		}
		return &textTokenizer{Tokenizer: t, options: tokenize.Options{
			NoSpecialTokens: o.NoSpecialTokens, Truncation: t.Truncation(), Padding: t.Padding(),
		}}, nil
	}
	spec, err := bundleNamed(cfg, o.Model)
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

// sideBySide works on lines with all cores and writes the answers in the lines' order.
func sideBySide(ctx context.Context, texts Texts, recordBytes int, work func(line) answer, out *answerWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type task struct {
		line line
		slot *slot[answer]
	}
	tasks := make(chan task)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for t := range tasks {
				t.slot.result <- work(t.line)
			}
		}()
	}
	results := newOrdered[answer](ctx)
	go func() {
		defer close(tasks)
		results.finish(texts.each(ctx, recordBytes, func(l line) error {
			// An answer is at most some thirty times its text: each byte may be a token with its numbers.
			s, err := results.add(32*int64(len(l.raw)+len(l.text)) + 512)
			if err != nil {
				return err
			}
			select {
			case tasks <- task{l, s}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}))
	}()
	return results.drain(out.write, out.flush)
}

func (t *textTokenizer) encode(r jobs.Record) answer {
	if r.Err != nil {
		return failure(r.ID, r.Err)
	}
	text := r.Text
	if t.lowercase {
		text = strings.ToLower(text)
	}
	e, err := t.Encode(text, t.options)
	if err != nil {
		return failure(r.ID, &jobs.RecordError{Class: jobs.InvalidRecord, Message: "text: " + err.Error()})
	}
	return encoded(r.ID, e)
}

func encoded(id string, e *tokenize.Encoding) answer {
	b := appendString([]byte(`{"id":`), id)
	b = appendInts(append(b, `,"input_ids":`...), e.IDs)
	b = appendInts(append(b, `,"attention_mask":`...), e.AttentionMask)
	b = appendInts(append(b, `,"token_type_ids":`...), e.TypeIDs)
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
		b = appendString(b, token)
	}
	return answer{line: append(b, "]}"...)}
}
