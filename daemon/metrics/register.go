package metrics

import "github.com/prometheus/client_golang/prometheus"

// register makes metrics of textmill's own.
type register struct{ registry *prometheus.Registry }

const namespace = "textmill"

func (r register) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	r.registry.MustRegister(c)
	return c
}

func (r register) counter(name, help string) prometheus.Counter {
	return r.counters(name, help).WithLabelValues()
}

func (r register) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	r.registry.MustRegister(g)
	return g
}

func (r register) gauge(name, help string) prometheus.Gauge {
	return r.gauges(name, help).WithLabelValues()
}

func (r register) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	r.registry.MustRegister(h)
	return h
}

func (r register) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return r.histograms(name, help, buckets).WithLabelValues().(prometheus.Histogram)
}
