// Package bundle opens the model bundles that a configuration means.
package bundle

import (
	"fmt"
	"maps"
	"slices"

	"textmill/config"
	"textmill/models"
	"textmill/places"
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

// Served opens the models of the configuration, else those in the cache; what cannot be opened is an error beside them.
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
