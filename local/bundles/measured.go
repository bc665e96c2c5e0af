package bundles

import (
	"context"
	"errors"
	"fmt"

	"textmill/config"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/generate"
	"textmill/models/session"
	"textmill/open"
)

// measured is what sessions found of a graph on this machine.
type measured struct {
	Graph string `json:"onnx_file"`
	*session.Company
}

func (m measured) String() string {
	if m.Company == nil {
		return m.Graph + ": not measured on this machine; textmill models verify does it, and so does the first session"
	}
	return m.Graph + ": " + m.Company.String()
}

// graphsOf opens every graph of a bundle that shares its weights with the one that runs.
func graphsOf(s *models.Spec) ([]*models.Spec, error) {
	if s.Decoder == nil {
		return []*models.Spec{s}, nil
	}
	var all []*models.Spec
	for _, g := range s.Decoder.Graphs {
		one, err := models.OpenGraph(s.Dir, g.File)
		if err != nil {
			return nil, err
		}
		one.Name = s.Name
		all = append(all, one)
	}
	return all, nil
}

// remembered is what earlier sessions found of a model's graphs.
func remembered(cfg config.Config, s *models.Spec) ([]measured, error) {
	o := open.Session(cfg, s.Name)
	graphs, err := graphsOf(s)
	if err != nil {
		return nil, err
	}
	var all []measured
	for _, g := range graphs {
		m := measured{Graph: g.Graph}
		c, ok, err := session.Remembered(g, o, o.MeasuredOn(g))
		if err != nil {
			return nil, err
		}
		if ok {
			m.Company = &c
		}
		all = append(all, m)
	}
	return all, nil
}

// measure opens every graph of a model, so that what its sessions find is there.
func measure(ctx context.Context, cfg config.Config, s *models.Spec) ([]measured, error) {
	o := open.Session(cfg, s.Name)
	graphs, err := graphsOf(s)
	if err != nil {
		return nil, err
	}
	var all []measured
	for _, g := range graphs {
		var c session.Company
		if s.Decoder != nil {
			c, err = generate.Measure(ctx, g, o)
		} else {
			c, err = measureEmbedder(ctx, g, o)
		}
		if err != nil {
			return nil, fmt.Errorf("measure %s of model %s: %w", g.Graph, s.Name, err)
		}
		all = append(all, measured{g.Graph, &c})
	}
	return all, nil
}

func measureEmbedder(ctx context.Context, s *models.Spec, o session.Options) (session.Company, error) {
	o.BatchTokens = max(o.BatchTokens, 1024) // which is best is another measurement
	e, err := embed.Open(ctx, s, o)
	if err != nil {
		return session.Company{}, err
	}
	c := e.Company()
	return c, errors.Join(e.Close())
}
