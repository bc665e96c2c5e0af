package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"textmill/config"
	"textmill/jobs"
	"textmill/regular"
	"textmill/tokenize"
	"textmill/tokenize/sugarme"
)

// The engines of `textmill tokenize`.
const (
	EngineTextmill = "textmill"
	EngineSugarme  = "sugarme"
)

// mostDifferences is how many differences a comparison shows.
const mostDifferences = 20

// Child runs what a process that textmill started of itself is for, and returns its exit status. ok is false in every other
// process. It must be asked before anything else is done.
func Child() (status int, ok bool) {
	if !sugarme.Child() {
		return 0, false
	}
	return sugarme.Serve(), true
}

// Compare counts where the library sugarme/tokenizer, in a process of its own, makes other tokens than textmill does.
func Compare(ctx context.Context, cfg config.Config, o TokenizeOptions) (err error) {
	path, remove, err := bareTokenizer(cfg, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
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
		r := l.record(jobs.TaskEmbed, recordBytes)
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

// bareTokenizer is a copy of the tokenizer.json without its truncation and padding, which the library applies to every text
// and does not mark in what it answers.
func bareTokenizer(cfg config.Config, o TokenizeOptions) (path string, remove func() error, err error) {
	own, err := tokenizerPath(cfg, o)
	if err != nil {
		return "", nil, err
	}
	data, err := regular.ReadFile(own)
	if err != nil {
		return "", nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", nil, fmt.Errorf("read tokenizer %s: %w", own, err)
	}
	delete(fields, "truncation")
	delete(fields, "padding")
	if data, err = json.Marshal(fields); err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "textmill-tokenizer-")
	if err != nil {
		return "", nil, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	path = filepath.Join(dir, "tokenizer.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return path, remove, nil
}

// tokenizerPath is the tokenizer.json of the file or model that o names.
func tokenizerPath(cfg config.Config, o TokenizeOptions) (string, error) {
	if o.File != "" {
		return o.File, nil
	}
	spec, err := bundle(cfg, o.Model)
	if err != nil {
		return "", err
	}
	return filepath.Join(spec.Dir, "tokenizer.json"), nil
}

// libraryWork answers lines with the library's tokens; end gives its process back.
func libraryWork(ctx context.Context, cfg config.Config, o TokenizeOptions) (work func(line) answer, end func() error, err error) {
	path, remove, err := bareTokenizer(cfg, o)
	if err != nil {
		return nil, nil, err
	}
	library, err := sugarme.Open(ctx, path, sugarme.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	end = func() error { return errors.Join(library.Close(), remove()) }
	recordBytes := int(cfg.Limits.RecordBytes)
	return func(l line) answer {
		r := l.record(jobs.TaskEmbed, recordBytes)
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
	}, end, nil
}

// libraryEncoding counts in characters what the library counts in bytes.
func libraryEncoding(text string, e *sugarme.Encoding) *tokenize.Encoding {
	out := &tokenize.Encoding{IDs: e.IDs, TypeIDs: e.TypeIDs, Tokens: e.Tokens, AttentionMask: make([]int32, len(e.IDs))}
	for i := range out.AttentionMask {
		out.AttentionMask[i] = 1
	}
	chars := func(at int32) int32 { return int32(utf8.RuneCountInString(text[:min(max(int(at), 0), len(text))])) }
	for _, span := range e.Offsets {
		out.Offsets = append(out.Offsets, tokenize.Span{Start: chars(span[0]), End: chars(span[1])})
	}
	return out
}
