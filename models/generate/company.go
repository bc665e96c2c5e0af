package generate

import (
	"context"
	"fmt"
	"time"

	"textmill/models"
	"textmill/models/session"
)

// settleCompany finds how runs must look for a text's bits not to depend on its company: from an earlier session on
// the like of this machine, or by a probe.
func (g *Generator) settleCompany(ctx context.Context) error {
	run, varies := g.run.(probed)
	if !varies { // a decode always takes all slots
		g.company.Runs, g.shares = session.Shape{Least: g.o.Slots, Multiple: g.o.Slots}, true
		return nil
	}
	known, ok, err := session.Remembered(g.spec, g.o.Session, "cpu")
	if err != nil {
		return err
	}
	if !ok || known.Rows > 0 && known.Rows < g.probedRows() { // fewer texts than can run together now
		g.o.Session.Log.InfoContext(ctx, "runs of the model are probed, once on the like of this machine", "model",
			g.spec.Name)
		begun := time.Now()
		if known, err = g.probe(ctx, run); err != nil {
			return fmt.Errorf("probe what company does to texts of %s: %w", g.spec.Name, err)
		}
		g.o.Session.Log.InfoContext(ctx, "runs were probed", "model", g.spec.Name, "decode_bits_hold", known.Runs.String(),
			"prefill_bits_hold", known.Prefill.String(), "took", time.Since(begun))
		if err := session.Remember(g.spec, g.o.Session, "cpu", known); err != nil {
			g.o.Session.Log.WarnContext(ctx, "what was probed cannot be kept, it will be probed again", "error", err)
		}
	}
	g.company = known
	g.noteFaster()
	g.shares = known.Prefill.Holds() && run.fill(known.Prefill)
	switch {
	case len(g.spec.Decoder.States) > 0:
		g.notes = append(g.notes, "prompts that begin alike are each computed whole: states of a text cannot be cut")
	case !g.shares:
		g.notes = append(g.notes, "prompts that begin alike are each computed whole: how a prompt is cut changes its bits here")
	}
	return nil
}

// noteFaster tells of the bundle's most exact graph if it was measured to be no slower, or not at all.
func (g *Generator) noteFaster() {
	first := g.spec.Decoder.Graphs[0]
	if first.File == g.spec.Graph || g.company.Rate == 0 {
		return
	}
	exact, err := models.OpenGraph(g.spec.Dir, first.File)
	if err != nil {
		return // it is not what was asked for
	}
	other, ok, err := session.Remembered(exact, g.o.Session, "cpu")
	switch {
	case err != nil:
	case !ok:
		g.notes = append(g.notes, fmt.Sprintf("%s is more exact; whether it is slower here was not measured: textmill models verify %s does", first.File, g.spec.Name))
	case other.Rate >= g.company.Rate:
		g.notes = append(g.notes, fmt.Sprintf("%s is more exact and no slower here: %.0f tokens/s in decodes of %d, %s makes %.0f", first.File, other.Rate, other.RateRows, g.spec.Graph, g.company.Rate))
	}
}

// Measure finds what company does to the texts of a graph on this machine, and how fast it is, and keeps it for later
// sessions.
func Measure(ctx context.Context, spec *models.Spec, o session.Options) (session.Company, error) {
	g, err := load(ctx, spec, Options{Session: o, Slots: 2})
	if err != nil {
		return session.Company{}, err
	}
	return g.company, g.run.close()
}

// Company is what other texts of a run do to a text's bits here, and how fast decodes are.
func (g *Generator) Company() session.Company { return g.company }

// Dependence says why a text depends on what runs beside it, "" if it does not. A prompt never does: where its bits
// would go by how it is cut, it is cut by its own length alone.
func (g *Generator) Dependence() string {
	if g.company.Runs.Holds() {
		return ""
	}
	return fmt.Sprintf("a text depends on what runs beside it: logits are off by up to %.2g of the greatest: %s",
		g.company.Apart, g.spec.Blame())
}
