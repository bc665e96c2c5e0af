package daemon

import (
	"slices"

	"textmill/daemon/catalog"
	"textmill/daemon/page"
	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/facts"
	"textmill/open"
)

// shown is what people see of the models.
func (d *Daemon) shown() (all []page.Model) {
	for _, c := range d.consumers {
		told, wrong := facts.Of(c.spec)
		all = append(all, page.Model{Name: c.spec.Name, Task: c.spec.Task, SHA256: c.spec.SHA256, Device: c.device,
			BatchTokens: c.batch, Workers: c.workers, Tracer: c.tracer, About: page.About{Facts: told,
				Notes: slices.Concat(c.spec.Notes, c.notes, wrong), Files: c.spec.Files, Cards: c.spec.Cards, Bits: c.bits,
				Depends: c.depends, Grew: c.grew, Work: c.metrics.Work,
				Found: func() ([]page.Finding, error) { return d.found(c.spec) }}})
	}
	return all
}

// found is what commands measured of a model.
func (d *Daemon) found(spec *models.Spec) (all []page.Finding, err error) {
	kept, err := open.Findings(d.cfg, spec)
	for _, f := range kept {
		all = append(all, page.Finding(f))
	}
	return all, err
}

// catalog tells of the tables.
func (d *Daemon) catalog() *catalog.Catalog {
	o := catalog.Options{URI: d.cfg.Export.URI, Refused: d.committers.Refused}
	for _, c := range d.consumers {
		m := catalog.Model{Spec: c.spec}
		if c.spec.Task == naming.TaskEmbed {
			m.Asks = c.asks
		}
		o.Served = append(o.Served, m)
	}
	return catalog.New(o)
}
