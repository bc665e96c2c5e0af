package bundles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/models/checkpoint"
)

// Remove deletes models of the cache, damaged ones too. A name that is none of theirs costs none of the others.
func Remove(cfg config.Config, names []string, out io.Writer) error {
	for _, name := range names {
		if err := removable(cfg, name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := checkpoint.Remove(places.Models(cfg.Home), name); err != nil {
			return fmt.Errorf("remove model %s: %w", name, err)
		}
		fmt.Fprintf(out, "removed %s\n", places.Model(cfg.Home, name))
	}
	return nil
}

func removable(cfg config.Config, name string) error {
	if err := naming.CheckModel(name); err != nil {
		return fmt.Errorf("model %q: the name %w", name, err)
	}
	path := places.Model(cfg.Home, name)
	st, err := os.Lstat(path)
	switch elsewhere := cfg.Models[name].Path; {
	case errors.Is(err, fs.ErrNotExist) && elsewhere != "" && elsewhere != path:
		return fmt.Errorf("model %s is no model of the cache: the configuration has it at %s, which stays", name, elsewhere)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no model %s in %s; textmill models list names those that are there", name, places.Models(cfg.Home))
	case err != nil:
		return fmt.Errorf("model %s: %w", name, err)
	case !st.IsDir() && st.Mode().Type() != fs.ModeSymlink:
		return fmt.Errorf("%s is no folder of a model", path)
	}
	return nil
}
