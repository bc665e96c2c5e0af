package tokens

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/open/bundle"
	"textmill/tokenize"
	"textmill/tokenize/sugarme"
)

// mostDifferences is how many differences a comparison shows.
const mostDifferences = 20

// Compare counts where the library sugarme/tokenizer, in a process of its own, makes other tokens than textmill does.
func Compare(ctx context.Context, cfg config.Config, o Options) (err error) {
	path, err := tokenizerPath(cfg, o)
	if err != nil {
		return err
	}
	ours, err := tokenize.Load(path)
	if err != nil {
		return err
	}
	c, err := sugarme.Compare(ctx, ours, path, !o.NoSpecialTokens, mostDifferences, sugarme.Options{})
	if err != nil {
		return err
	}
	recordBytes := int(cfg.Limits.RecordBytes)
	unread := 0
	err = o.Texts.Each(ctx, recordBytes, func(l local.Line) error {
		r := l.Record(naming.TaskEmbed, recordBytes)
		if r.Err == nil {
			return c.Add(ctx, r.Text)
		}
		unread++
		return nil
	})
	report, closed := c.Close()
	if err := errors.Join(err, closed); err != nil {
		return err
	}
	if unread > 0 {
		o.Log.WarnContext(ctx, "records that cannot be read were left out", "records", unread)
	}
	_, err = report.WriteTo(o.Out)
	return err
}

// tokenizerPath is the tokenizer.json of the file or model that o names.
func tokenizerPath(cfg config.Config, o Options) (string, error) {
	if o.File != "" {
		return o.File, nil
	}
	spec, err := bundle.Named(cfg, o.Model)
	if err != nil {
		return "", err
	}
	return filepath.Join(spec.Dir, "tokenizer.json"), nil
}

// libraryWork answers lines with the library's tokens; end gives its process back.
func libraryWork(ctx context.Context, cfg config.Config, o Options) (work func(local.Line) local.Answer,
	end func() error, err error) {
	path, err := tokenizerPath(cfg, o)
	if err != nil {
		return nil, nil, err
	}
	library, err := sugarme.Open(ctx, path, sugarme.Options{})
	if err != nil {
		return nil, nil, err
	}
	recordBytes := int(cfg.Limits.RecordBytes)
	return func(l local.Line) local.Answer {
		r := l.Record(naming.TaskEmbed, recordBytes)
		if r.Err != nil {
			return local.Failure(r.ID, r.Err)
		}
		e, err := library.Encode(ctx, r.Text, !o.NoSpecialTokens)
		if err != nil {
			class := jobs.ModelFailed
			if errors.Is(err, sugarme.ErrTimeout) {
				class = jobs.Timeout
			}
			return local.Failure(r.ID, &jobs.RecordError{Class: class, Message: fmt.Sprintf("engine sugarme: %v", err)})
		}
		return encoded(r.ID, libraryEncoding(r.Text, &e))
	}, library.Close, nil
}

// libraryEncoding counts in characters what the library counts in bytes.
func libraryEncoding(text string, e *sugarme.Encoding) *tokenize.Encoding {
	out := &tokenize.Encoding{IDs: e.IDs, TypeIDs: e.TypeIDs, Tokens: e.Tokens, AttentionMask: make([]int32, len(e.IDs))}
	for i := range out.AttentionMask {
		out.AttentionMask[i] = 1
	}
	out.Offsets = e.Spans(text)
	return out
}
