package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"textmill/config"
	"textmill/jobs"
	"textmill/naming"
	"textmill/tokenize"
	"textmill/tokenize/sugarme"
)

// The engines of `textmill tokenize`.
const (
	EngineTextmill = config.EngineTextmill
	EngineSugarme  = config.EngineSugarme
)

// mostDifferences is how many differences a comparison shows.
const mostDifferences = 20

// ChildCommand is the command that textmill starts of itself to have the library in a process of its own, and ServeChild what
// that does; it returns the exit status.
const ChildCommand = sugarme.ChildCommand

func ServeChild(tokenizer string) int { return sugarme.Serve(tokenizer) }

// Compare counts where the library sugarme/tokenizer, in a process of its own, makes other tokens than textmill does.
func Compare(ctx context.Context, cfg config.Config, o TokenizeOptions) (err error) {
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
	err = o.Texts.each(ctx, recordBytes, func(l line) error {
		r := l.record(naming.TaskEmbed, recordBytes)
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
func tokenizerPath(cfg config.Config, o TokenizeOptions) (string, error) {
	if o.File != "" {
		return o.File, nil
	}
	spec, err := bundleNamed(cfg, o.Model)
	if err != nil {
		return "", err
	}
	return filepath.Join(spec.Dir, "tokenizer.json"), nil
}

// libraryWork answers lines with the library's tokens; end gives its process back.
func libraryWork(ctx context.Context, cfg config.Config, o TokenizeOptions) (work func(line) answer, end func() error, err error) {
	path, err := tokenizerPath(cfg, o)
	if err != nil {
		return nil, nil, err
	}
	library, err := sugarme.Open(ctx, path, sugarme.Options{})
	if err != nil {
		return nil, nil, err
	}
	recordBytes := int(cfg.Limits.RecordBytes)
	return func(l line) answer {
		r := l.record(naming.TaskEmbed, recordBytes)
		if r.Err != nil {
			return failure(r.ID, r.Err)
		}
		e, err := library.Encode(ctx, r.Text, !o.NoSpecialTokens)
		if err != nil {
			class := jobs.ModelFailed
			if errors.Is(err, sugarme.ErrTimeout) {
				class = jobs.Timeout
			}
			return failure(r.ID, &jobs.RecordError{Class: class, Message: fmt.Sprintf("engine sugarme: %v", err)})
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
