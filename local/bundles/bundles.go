// Package bundles lists, obtains, describes and checks the models of this machine.
package bundles

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"textmill/config"
	"textmill/ground/places"
	"textmill/ground/plain"
	"textmill/models"
	"textmill/open/bundle"
)

// known lists the models of the configuration and of the cache; what cannot be opened is an error beside them.
func known(cfg config.Config) ([]*models.Spec, []error) {
	specs, errs := models.ListBundles(cfg.Home)
	inCache := map[string]bool{}
	for _, s := range specs {
		inCache[s.Name] = true
	}
	for name, m := range cfg.Models {
		if m.Path == "" || inCache[name] && m.Path == places.Model(cfg.Home, name) {
			continue
		}
		s, err := bundle.Open(cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(slices.DeleteFunc(specs, func(o *models.Spec) bool { return o.Name == name }), s)
	}
	slices.SortFunc(specs, func(a, b *models.Spec) int { return strings.Compare(a.Name, b.Name) })
	return specs, errs
}

// List writes the models that can be run.
func List(cfg config.Config, out io.Writer, asJSON bool) error {
	specs, errs := known(cfg)
	if asJSON {
		for _, s := range specs {
			if err := plain.JSON(out, answerOf(s)); err != nil {
				return err
			}
		}
		return errors.Join(errs...)
	}
	if len(specs) == 0 && len(errs) == 0 {
		return fmt.Errorf("no models in %s; run textmill setup, or textmill models pull", places.Models(cfg.Home))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTASK\tDIM\tMAX LENGTH\tPOOLING\tSIZE\tMODEL SHA256")
	for _, s := range specs {
		a := answerOf(s)
		dim, pooling := "-", "-"
		if a.Embedding != nil {
			dim, pooling = strconv.Itoa(a.Dim), a.Pooling
		}
		errs = append(errs, plain.Row(w, a.Name, a.Task, dim, a.MaxLength, pooling,
			fmt.Sprintf("%d MB", (a.Bytes+500_000)/1_000_000), a.SHA256[:min(12, len(a.SHA256))]))
	}
	return errors.Join(w.Flush(), errors.Join(errs...))
}
