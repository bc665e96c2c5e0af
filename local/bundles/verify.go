package bundles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/compare"
	"textmill/models/session"
	"textmill/open"
	"textmill/open/bundle"
)

// VerifyOptions describes one run of `textmill models verify`.
type VerifyOptions struct {
	Names []string // empty: all
	// Against is what the logits of a model to generate with are compared to: a model of the cache, or a checkpoint.
	Against string
	// Device, unless empty, is where graphs for a card are compared with the processor's: cpu or cuda:N.
	Device   string
	Out      io.Writer
	Progress io.Writer
	JSON     bool
}

// compared is how far one graph of a model is from the reference.
type compared struct {
	Graph     string `json:"graph"`
	Reference string `json:"reference"`
	compare.Difference
}

// keep has what was measured shown where the model is; that it cannot be kept spoils no measurement.
func (o VerifyOptions) keep(cfg config.Config, s *models.Spec, found ...session.Finding) {
	if err := session.Found(cfg.Home, s, found); err != nil {
		fmt.Fprintf(o.Progress, "%s: what was measured is not kept: %v\n", s.Name, err)
	}
}

// Verify reads all files of the named models, or of all, and compares them with the hashes that were recorded. For
// models to generate with that have less exact graphs it measures what that costs.
func Verify(ctx context.Context, cfg config.Config, o VerifyOptions) error {
	drifts, err := o.device()
	if err != nil {
		return err
	}
	if o.Against != "" && !drifts && len(o.Names) != 1 {
		return fmt.Errorf("%w: --against needs the name of one model", local.ErrUsage)
	}
	var specs []*models.Spec
	var errs []error
	if len(o.Names) == 0 {
		specs, errs = known(cfg)
	}
	for _, name := range o.Names {
		s, err := bundle.Named(cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, s)
	}
	verify := o.verify
	if drifts {
		verify = o.drift
	}
	for _, s := range specs {
		if err := verify(ctx, cfg, s); err != nil {
			errs = append(errs, err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

func (o VerifyOptions) verify(ctx context.Context, cfg config.Config, s *models.Spec) error {
	if err := s.Verify(ctx); err != nil {
		return err
	}
	if !o.JSON {
		if _, err := fmt.Fprintf(o.Out, "%s: %d files as recorded, model_sha256 %s\n", s.Name, len(s.Files),
			s.SHA256); err != nil {
			return err
		}
	}
	found, err := measure(ctx, cfg, s)
	if errors.Is(err, session.ErrRuntime) { // files can be verified without the library
		fmt.Fprintf(o.Progress, "%s was not measured: %v\n", s.Name, err)
	} else if err != nil {
		return err
	}
	results, err := o.compare(ctx, cfg, s)
	if err != nil {
		return fmt.Errorf("compare model %s: %w", s.Name, err)
	}
	var kept []session.Finding
	for _, r := range results {
		kept = append(kept, session.Finding{About: fmt.Sprintf("drift of %s against %s", r.Graph, r.Reference), Says: r.Said()})
	}
	o.keep(cfg, s, kept...)
	if o.JSON {
		answer := map[string]any{"name": s.Name, "model_sha256": s.SHA256, "files": len(s.Files), "ok": true,
			"measured": found}
		if len(results) > 0 {
			answer["graphs"] = results
		}
		return plain.JSON(o.Out, answer)
	}
	for _, m := range found {
		if _, err := fmt.Fprintf(o.Out, "%s: %s\n", s.Name, m); err != nil {
			return err
		}
	}
	for _, r := range results {
		_, err := fmt.Fprintf(o.Out, "%s: %s against %s: %s\n", s.Name, r.Graph, r.Reference, r.Said())
		if err != nil {
			return err
		}
	}
	return nil
}

// compare measures the graphs of a decoder: all against another model's, or the less exact ones against the most exact
// one.
func (o VerifyOptions) compare(ctx context.Context, cfg config.Config, s *models.Spec) (results []compared,
	err error) {
	if s.Decoder == nil || !s.Decoder.Own() {
		if o.Against != "" {
			return nil, fmt.Errorf("%w: --against is for models to generate with that textmill imported", local.ErrUsage)
		}
		return nil, nil
	}
	reference, name, graphs := s, s.Decoder.Graphs[0].File, s.Decoder.Graphs[1:]
	if o.Against != "" {
		var end func() error
		if reference, end, err = o.reference(ctx, cfg); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, end()) }()
		name, graphs = o.Against, s.Decoder.Graphs
	}
	if len(graphs) == 0 {
		if p := s.Decoder.Precision; p == checkpoint.Q8 || p == checkpoint.Q4 {
			fmt.Fprintf(o.Progress, "%s: its weights were rounded to %s; --against BUNDLE or --against SRC measures what that costs\n", s.Name, p)
		}
		return nil, nil
	}
	t, err := s.Tokenizer()
	if err != nil {
		return nil, err
	}
	texts, err := compare.Texts(t, min(s.MaxLength, reference.MaxLength))
	if err != nil {
		return nil, err
	}
	exact, err := compare.Open(reference, reference.Decoder.Graphs[0].File, open.Session(cfg, s.Name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, exact.Close()) }()
	for _, g := range graphs {
		other, err := compare.Open(s, g.File, open.Session(cfg, s.Name))
		if err != nil {
			return nil, err
		}
		d, err := compare.Measure(ctx, exact, other, texts)
		if err = errors.Join(err, other.Close()); err != nil {
			return nil, err
		}
		results = append(results, compared{g.File, name, d})
	}
	return results, nil
}

// reference opens what --against names. A checkpoint is imported as fp32 into a folder that end removes.
func (o VerifyOptions) reference(ctx context.Context, cfg config.Config) (s *models.Spec, end func() error,
	err error) {
	end = func() error { return nil }
	if _, err := os.Stat(o.Against); naming.CheckModel(o.Against) == nil && errors.Is(err, fs.ErrNotExist) {
		s, err = bundle.Named(cfg, o.Against)
		if err == nil && (s.Decoder == nil || !s.Decoder.Own()) {
			err = fmt.Errorf("%w: model %s was not imported to generate with", local.ErrUsage, o.Against)
		}
		return s, end, err
	}
	if err := os.MkdirAll(cfg.Home, 0o755); err != nil {
		return nil, end, err
	}
	dir, err := os.MkdirTemp(cfg.Home, ".verify-*")
	if err != nil {
		return nil, end, err
	}
	end = func() error { return os.RemoveAll(dir) }
	fmt.Fprintf(o.Progress, "importing %s as fp32 to compare with\n", o.Against)
	r, err := checkpoint.Import(ctx, checkpoint.Options{Source: o.Against, Dir: dir, Name: "reference"})
	if err == nil && r.Task != naming.TaskGenerate {
		err = fmt.Errorf("%w: %s is not made to generate with", local.ErrUsage, o.Against)
	}
	if err == nil {
		s, err = models.OpenBundle(r.Dir)
	}
	if err != nil {
		return nil, end, errors.Join(err, end())
	}
	return s, end, nil
}
