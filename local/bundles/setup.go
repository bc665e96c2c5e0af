package bundles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/models/fetch"
	"textmill/open/bundle"
)

// installedAnswer is what programs are told of one thing that Setup put in place, or found there.
type installedAnswer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source,omitempty"`
	Path    string `json:"path"`
	Fresh   bool   `json:"fresh"`
}

// Setup obtains libonnxruntime and the default models; what is there already is verified and kept. As JSON a line for
// each is written to out.
func Setup(ctx context.Context, cfg config.Config, out, progress io.Writer, asJSON bool) error {
	all, err := fetch.Setup(ctx, fetchOptions(cfg, progress))
	for _, i := range all {
		if asJSON {
			err = errors.Join(err, plain.JSON(out, installedAnswer{i.Name, i.Version, i.Source, i.Path, i.Fresh}))
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// PullOptions describes one run of `textmill models pull`.
type PullOptions struct {
	Source   string // a model of the hub, owner/name, or one that textmill knows by name
	Name     string // empty: derived from Source
	Out      io.Writer
	Progress io.Writer
	JSON     bool
}

// Pull obtains a model into the cache and records its files' hashes.
func Pull(ctx context.Context, cfg config.Config, o PullOptions) error {
	got, err := fetch.Pull(ctx, fetchOptions(cfg, o.Progress), o.Source, o.Name)
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
	if o.JSON {
		return plain.JSON(o.Out, answerOf(s))
	}
	_, err = fmt.Fprintf(o.Out, "%s: %d files from %s, model_sha256 %s\n", s.Name, len(s.Files), got.Source, s.SHA256)
	return err
}

// progressEvery is how often a download in progress is reported.
const progressEvery = 2 * time.Second

func fetchOptions(cfg config.Config, w io.Writer) fetch.Options {
	var last time.Time
	return fetch.Options{Home: cfg.Home, Progress: func(p fetch.Progress) {
		switch {
		case p.Message != "" && p.Source != "" && !strings.Contains(p.Message, p.Source):
			fmt.Fprintf(w, "%s: %s (%s)\n", plain.Text(p.Artifact), plain.Text(p.Message), plain.Text(p.Source))
		case p.Message != "":
			fmt.Fprintf(w, "%s: %s\n", plain.Text(p.Artifact), plain.Text(p.Message))
		case time.Since(last) > progressEvery && p.Total > 0:
			last = time.Now()
			fmt.Fprintf(w, "%s: %d of %d MB (%s)\n", p.Artifact, p.Done>>20, p.Total>>20, p.Source)
		}
	}}
}
