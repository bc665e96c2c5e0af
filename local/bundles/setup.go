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
	"textmill/models/session"
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

// SetupOptions describes one run of `textmill setup`.
type SetupOptions struct {
	Device   string // cpu, cuda, cuda:N or auto: what models are to run on
	Out      io.Writer
	Progress io.Writer
	JSON     bool
}

// Setup obtains libonnxruntime and the default models, and for a card its build of libonnxruntime and what that needs;
// what is there already is verified and kept. As JSON a line for each is written to Out. Of a card it says what it
// found there.
func Setup(ctx context.Context, cfg config.Config, o SetupOptions) error {
	all, err := fetch.Setup(ctx, fetchOptions(cfg, o.Progress))
	card := err == nil && o.wantsCard()
	if card {
		var more []fetch.Installed
		more, err = fetch.CUDA(ctx, fetchOptions(cfg, o.Progress), session.Lacking(cfg.Home))
		all = append(all, more...)
	}
	for _, i := range all {
		if o.JSON {
			err = errors.Join(err, plain.JSON(o.Out, installedAnswer{i.Name, i.Version, i.Source, i.Path, i.Fresh}))
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || !card {
		return err
	}
	return o.examine(cfg)
}

// wantsCard tells whether what cards need is to be obtained, and says where it might be.
func (o SetupOptions) wantsCard() bool {
	switch {
	case strings.HasPrefix(o.Device, "cuda"):
		return true
	case o.Device == "auto":
		cards, err := session.Cards()
		if err != nil {
			fmt.Fprintf(o.Progress, "device auto is the processor: %s\n", plain.Text(err.Error()))
		}
		return len(cards) > 0
	}
	if cards, err := session.Cards(); err == nil {
		fmt.Fprintf(o.Progress, "a card is here (%s): textmill setup --device cuda obtains what it needs\n",
			plain.Text(strings.Join(cards, "; ")))
	}
	return false
}

func (o SetupOptions) examine(cfg config.Config) error {
	device := o.Device
	if !strings.HasPrefix(device, "cuda:") {
		device = "cuda:0"
	}
	x, err := session.Examine(cfg.Home, device)
	if err != nil {
		return err
	}
	if o.JSON {
		return plain.JSON(o.Out, cardAnswerOf(x))
	}
	return reportCard(o.Out, device, x)
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
