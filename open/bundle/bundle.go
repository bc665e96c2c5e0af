// Package bundle opens the model bundles that a configuration means.
package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/models"
)

// Open opens a model by name: where the configuration says it lies, else in the cache.
func Open(cfg config.Config, name string) (*models.Spec, error) {
	m := cfg.Models[name]
	dir := m.Path
	if dir == "" {
		dir = places.Model(cfg.Home, name)
	}
	spec, err := models.OpenGraph(dir, m.ONNXFile)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return spec, nil
}

// Served opens the models of the configuration, else those in the cache; what cannot be opened is an error beside
// them.
func Served(cfg config.Config) ([]*models.Spec, []error) {
	if len(cfg.Models) == 0 {
		return models.ListBundles(cfg.Home)
	}
	var specs []*models.Spec
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Models)) {
		spec, err := Open(cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, spec)
	}
	return specs, errs
}

// Names are the names of the models of the configuration and of the cache, which need not be whole.
func Names(cfg config.Config) []string {
	names := slices.Collect(maps.Keys(cfg.Models))
	entries, err := os.ReadDir(places.Models(cfg.Home))
	if err != nil {
		return names // none yet
	}
	for _, e := range entries {
		if name := e.Name(); naming.CheckModel(name) == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Named opens a model by name, and says what there is when it is not there.
func Named(cfg config.Config, name string) (*models.Spec, error) {
	dir := cfg.Models[name].Path
	if dir == "" {
		dir = places.Model(cfg.Home, name)
	}
	if _, err := os.Stat(dir); naming.CheckModel(name) != nil || errors.Is(err, fs.ErrNotExist) {
		names := Names(cfg)
		meant := ""
		if near := naming.Meant(name, names); near != "" {
			meant = "; did you mean " + near + "?"
		}
		return nil, fmt.Errorf("there is no model %q%s (%s has: %s); run textmill setup, or textmill models pull",
			name, meant, places.Models(cfg.Home), cmp.Or(strings.Join(names, ", "), "none"))
	}
	return Open(cfg, name)
}
