// Package tables lists, describes, checks and exports the tables of this machine and of buckets.
package tables

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/local"
)

// IsDataset tells whether an argument may name a dataset, which URI then looks for.
func IsDataset(arg string) bool { return naming.CheckDataset(arg) == nil }

// URI is the table that an argument names: a path or a URI, or a dataset of export.uri. A bare name is a dataset,
// unless only this directory has a table of that name.
func URI(cfg config.Config, arg string) (string, error) {
	if !IsDataset(arg) {
		return arg, nil
	}
	here := false
	if _, err := os.Stat(filepath.Join(arg, "_delta_log")); err == nil {
		here = true
	}
	names, err := export.Datasets(cfg.Export.URI)
	if err != nil {
		return "", err
	}
	there, err := export.TableURI(cfg.Export.URI, arg)
	if err != nil {
		return "", err
	}
	known := false
	for _, name := range names {
		known = known || name == arg
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return "", err
	}
	switch {
	case known && here && abs != there:
		return "", fmt.Errorf("%w: %s is a table of this directory and of %s; write ./%s or %s", local.ErrUsage, arg,
			cfg.Export.URI, arg, there)
	case known:
		return there, nil
	case here:
		return abs, nil
	}
	if near := naming.Meant(arg, names); near != "" {
		return "", fmt.Errorf("there is no table %q in %s; did you mean %s?", arg, cfg.Export.URI, near)
	}
	return "", fmt.Errorf("there is no table %q in %s (textmill table list)", arg, cfg.Export.URI)
}

// listedTable is what programs are told of a table in a list.
type listedTable struct {
	Dataset   string `json:"dataset"`
	Path      string `json:"path"`
	Rows      int64  `json:"rows"`
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	Version   int64  `json:"version"`
	Embedding string `json:"embedding"`
}

// List writes the tables of export.uri. One that cannot be read is an error beside the others.
func List(ctx context.Context, cfg config.Config, out, about io.Writer, asJSON bool) error {
	names, err := export.Datasets(cfg.Export.URI)
	if err != nil {
		return err
	}
	if len(names) == 0 && !asJSON {
		fmt.Fprintf(about, "no tables in %s\n", plain.Text(cfg.Export.URI))
		return nil
	}
	var errs []error
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "DATASET\tROWS\tFILES\tBYTES\tVERSION\tEMBEDDING")
	}
	for _, name := range names {
		uri, err := export.TableURI(cfg.Export.URI, name)
		if err != nil {
			return err
		}
		in, err := export.Inspect(ctx, uri)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			errs = append(errs, err)
		case asJSON:
			errs = append(errs, plain.JSON(out, listedTable{name, in.Path, in.Rows, len(in.Files), in.Bytes, in.Version,
				in.Embedding}))
		default:
			errs = append(errs, plain.Row(w, name, in.Rows, len(in.Files), in.Bytes, in.Version, in.Embedding))
		}
	}
	return errors.Join(w.Flush(), errors.Join(errs...))
}

// Names are the names of the tables of export.uri, as far as they can be found.
func Names(cfg config.Config) []string {
	names, err := export.Datasets(cfg.Export.URI)
	if err != nil {
		return nil
	}
	return names
}
