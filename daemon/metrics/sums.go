package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"textmill/daemon/lately"
)

// Sums are the counts that pages show, added up over whatever is told apart.
func (m *Metrics) Sums() lately.Sums {
	s := lately.Sums{Models: map[string]lately.Model{}}
	add := func(c prometheus.Collector, to func(*lately.Model) *float64) (sum float64) {
		each(c, func(labels map[string]string, one *dto.Metric) {
			value := one.GetCounter().GetValue() + one.GetGauge().GetValue() + one.GetHistogram().GetSampleSum()
			sum += value
			if to != nil {
				model := s.Models[labels["model"]]
				*to(&model) += value
				s.Models[labels["model"]] = model
			}
		})
		return sum
	}
	s.Texts = add(m.texts, func(o *lately.Model) *float64 { return &o.Texts })
	s.Tokens = add(m.tokens, func(o *lately.Model) *float64 { return &o.Tokens })
	s.Padded = add(m.padded, func(o *lately.Model) *float64 { return &o.Padded })
	s.Output = add(m.made, func(o *lately.Model) *float64 { return &o.Output })
	add(m.runSeconds, func(o *lately.Model) *float64 { return &o.Busy })
	add(m.lagMessages, func(o *lately.Model) *float64 { return &o.Waiting })
	add(m.lagSeconds, func(o *lately.Model) *float64 { return &o.Oldest })
	each(m.rows, func(labels map[string]string, one *dto.Metric) {
		s.Rows += one.GetCounter().GetValue()
		if labels["error"] == "true" {
			s.Errors += one.GetCounter().GetValue()
		}
	})
	s.InFlight, s.Letters = add(m.inFlight, nil), add(m.letters, nil)
	for _, stage := range []struct {
		name  string
		times prometheus.Collector
	}{{"queue", m.queue}, {"tokenize", m.tokenize}, {"wait", m.wait}, {"run", m.runSeconds}, {"assemble", m.assemble},
		{"gather", m.gather}, {"commit", m.commitTime}} {
		one := lately.Stage{Name: stage.name}
		each(stage.times, func(_ map[string]string, h *dto.Metric) {
			one.Count += float64(h.GetHistogram().GetSampleCount())
			one.Seconds += h.GetHistogram().GetSampleSum()
		})
		s.Stages = append(s.Stages, one)
	}
	return s
}

// each gives what a collector has, by its labels.
func each(c prometheus.Collector, f func(labels map[string]string, one *dto.Metric)) {
	all := make(chan prometheus.Metric)
	go func() {
		c.Collect(all)
		close(all)
	}()
	for metric := range all {
		var one dto.Metric
		if metric.Write(&one) != nil {
			continue
		}
		labels := map[string]string{}
		for _, l := range one.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		f(labels, &one)
	}
}
