// Package metrics is what an operator can act on, in Prometheus' words.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/models/generate"
	"textmill/work/embedding"
)

// Metrics are a daemon's. Their methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	deliveries *prometheus.CounterVec // by verdict
	inFlight   prometheus.Gauge
	rows       *prometheus.CounterVec // by dataset, error
	tokens     *prometheus.CounterVec // by model
	padded     *prometheus.CounterVec // by model
	batches    *prometheus.CounterVec // by model
	made       *prometheus.CounterVec // by model
	runSeconds *prometheus.HistogramVec
	commits    *prometheus.CounterVec // by dataset, result
	commitTime prometheus.Histogram
	unserved   prometheus.Gauge
	refused    *prometheus.GaugeVec   // by dataset
	dead       *prometheus.CounterVec // by class
	dropped    prometheus.Counter

	lettersFull prometheus.Gauge
}

// New makes them, all zero.
func New() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "textmill", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "textmill", Name: name, Help: help})
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		deliveries: counter("deliveries_total", "Deliveries by what became of them.", "verdict"),
		inFlight:   gauge("deliveries_in_flight", "Deliveries fetched and not settled."),
		rows:       counter("rows_total", "Rows committed, error rows apart.", "dataset", "error"),
		tokens:     counter("tokens_total", "Tokens run, padding left out.", "model"),
		padded:     counter("padded_tokens_total", "Tokens run, padding counted.", "model"),
		batches:    counter("batches_total", "Model runs.", "model"),
		made:       counter("output_tokens_total", "Tokens that generation models made.", "model"),
		runSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "textmill", Name: "run_seconds",
			Help: "Time of one model run.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"model"}),
		commits: counter("commits_total", "Commits by result.", "dataset", "result"),
		commitTime: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "textmill", Name: "commit_seconds",
			Help: "Time from closing a part to the log entry.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		unserved: gauge("unserved_subjects", "Job subjects that hold messages and that no model here serves."),
		refused: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "textmill", Name: "refused_tables",
			Help: "Tables that this version must not write to, as /status says why; work for them waits in the queue."},
			[]string{"dataset"}),
		dead: counter("dead_letters_total", "Dead letters by class.", "class"),
	}
	m.dropped = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "textmill", Name: "cancelled_messages_total",
		Help: "Messages that a cancel dropped, fetched or not."})
	m.lettersFull = gauge("dead_letters_full",
		"1 while the stream of dead letters takes no more, as /status says; what would become one waits in the queue.")
	m.registry.MustRegister(m.lettersFull, m.deliveries, m.inFlight, m.rows, m.tokens, m.padded, m.batches, m.made,
		m.runSeconds, m.commits, m.commitTime, m.unserved, m.refused, m.dead, m.dropped,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// InFlight is how many deliveries are.
func (m *Metrics) InFlight(n int) { m.inFlight.Set(float64(n)) }

// Settled counts a delivery by what became of it, and a dead letter by its class too.
func (m *Metrics) Settled(verdict, class string) {
	m.deliveries.WithLabelValues(verdict).Inc()
	if class != "" {
		m.dead.WithLabelValues(class).Inc()
	}
}

// Dropped counts messages that a cancel dropped.
func (m *Metrics) Dropped(messages int) { m.dropped.Add(float64(messages)) }

// Unserved is how many subjects wait for a model that no daemon serves.
func (m *Metrics) Unserved(subjects int) { m.unserved.Set(float64(subjects)) }

// Refused says whether a dataset's table may not be written to.
func (m *Metrics) Refused(dataset string, now bool) {
	if now {
		m.refused.WithLabelValues(dataset).Set(1)
		return
	}
	m.refused.DeleteLabelValues(dataset)
}

// LettersFull says whether the stream of dead letters takes no more.
func (m *Metrics) LettersFull(now bool) {
	full := 0.0
	if now {
		full = 1
	}
	m.lettersFull.Set(full)
}

// Committed counts a commit that took so long.
func (m *Metrics) Committed(dataset string, r export.Result, took time.Duration) {
	m.commitTime.Observe(took.Seconds())
	dataset = naming.DatasetOf(dataset)
	m.commits.WithLabelValues(dataset, "committed").Inc()
	m.rows.WithLabelValues(dataset, "false").Add(float64(r.Rows - r.Errors))
	m.rows.WithLabelValues(dataset, "true").Add(float64(r.Errors))
}

// CommitFailed counts one that failed after so long.
func (m *Metrics) CommitFailed(dataset string, took time.Duration) {
	m.commitTime.Observe(took.Seconds())
	m.commits.WithLabelValues(naming.DatasetOf(dataset), "failed").Inc()
}

// Observe is told of a model's batches.
func (m *Metrics) Observe(model string) func(embedding.BatchStats) {
	tokens, padded := m.tokens.WithLabelValues(model), m.padded.WithLabelValues(model)
	batches, seconds := m.batches.WithLabelValues(model), m.runSeconds.WithLabelValues(model)
	return func(b embedding.BatchStats) {
		tokens.Add(float64(b.Tokens))
		padded.Add(float64(b.PaddedTokens))
		batches.Inc()
		seconds.Observe(b.Took.Seconds())
	}
}

// ObserveGeneration is told of a generation model's runs.
func (m *Metrics) ObserveGeneration(model string) func(generate.RunStats) {
	run, made := m.Observe(model), m.made.WithLabelValues(model)
	return func(r generate.RunStats) {
		run(embedding.BatchStats{Tokens: r.Tokens, PaddedTokens: r.Padded, Took: r.Took})
		made.Add(float64(r.New))
	}
}
