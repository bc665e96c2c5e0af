// Package metrics is what an operator can act on, in Prometheus' words.
package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"textmill/export"
)

// Metrics are a daemon's. Their methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	datasets datasets
	models   sync.Map // by name, *Model

	// Is it keeping up?
	ready       prometheus.Gauge
	lagMessages *prometheus.GaugeVec // by model
	lagRecords  *prometheus.GaugeVec // by model
	lagSeconds  *prometheus.GaugeVec // by model
	inFlight    prometheus.Gauge
	unserved    prometheus.Gauge
	streamBytes *prometheus.GaugeVec // by stream
	streamLimit *prometheus.GaugeVec // by stream

	// What is slow?
	queue    *prometheus.HistogramVec // by model, as all of these but the last two
	tokenize *prometheus.HistogramVec
	wait     *prometheus.HistogramVec

	runSeconds *prometheus.HistogramVec
	assemble   *prometheus.HistogramVec
	gather     prometheus.Histogram
	commitTime prometheus.Histogram

	// What is lost?
	deliveries  *prometheus.CounterVec // by verdict
	errors      *prometheus.CounterVec // by model, class
	truncated   *prometheus.CounterVec // by model
	cut         *prometheus.CounterVec // by model
	dead        *prometheus.CounterVec // by class
	letters     prometheus.Gauge
	lettersFull prometheus.Gauge
	refused     *prometheus.GaugeVec // by dataset
	dropped     prometheus.Counter

	// What does it do, and what does that cost?
	rows    *prometheus.CounterVec // by dataset, error
	commits *prometheus.CounterVec // by dataset, result
	texts   *prometheus.CounterVec // by model
	tokens  *prometheus.CounterVec // by model
	padded  *prometheus.CounterVec // by model
	batches *prometheus.CounterVec // by model
	made    *prometheus.CounterVec // by model
	read    *prometheus.CounterVec // by model
	written *prometheus.CounterVec // by dataset

	// What is it?
	build  *prometheus.GaugeVec
	serves *prometheus.GaugeVec
}

// New makes them, all zero, of a program of this version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), datasets: datasets{known: map[string]bool{}}}
	r := register{m.registry}
	m.keepingUp(r)
	m.slow(r)
	m.lost(r)
	m.cost(r)
	m.build = r.gauges("build_info", "1; the labels say what runs.", "version", "revision", "goversion")
	m.serves = r.gauges("model_info", "1 for each model that is served; the labels say on what, and which files.",
		"model", "task", "model_sha256", "device", "precision")
	m.build.WithLabelValues(version, revision(), runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) keepingUp(r register) {
	m.ready = r.gauge("ready", "1 while work can be taken and committed, as /readyz says.")
	m.lagMessages = r.gauges("lag_messages", "Messages that no daemon has settled, waiting or in flight.", "model")
	m.lagRecords = r.gauges("lag_records",
		"About how many records these messages have: as many as those that were settled here last. Absent before the first.",
		"model")
	m.lagSeconds = r.gauges("lag_seconds", "Age of the oldest of these messages, 0 where there is none.", "model")
	m.inFlight = r.gauge("deliveries_in_flight", "Deliveries fetched and not settled.")
	m.unserved = r.gauge("unserved_subjects", "Job subjects that hold messages and that no daemon serves.")
	m.streamBytes = r.gauges("stream_bytes", "Size of the queue's streams.", "stream")
	m.streamLimit = r.gauges("stream_limit_bytes", "What they may have at most; absent where there is no limit.", "stream")
}

func (m *Metrics) slow(r register) {
	seconds := func(first, factor float64, n int) []float64 { return prometheus.ExponentialBuckets(first, factor, n) }
	m.queue = r.histograms("queue_seconds",
		"Time of a message in the queue, from its publication to its first delivery.", seconds(0.01, 4, 12), "model")
	m.tokenize = r.histograms("tokenize_seconds",
		"Time in which one record became tokens; of embedding models one record in 16 is timed.", seconds(1e-5, 4, 10), "model")
	m.wait = r.histograms("wait_seconds",
		"Time that tokens waited for the model: the longest of a batch, or until a slot was free.", seconds(0.001, 4, 10), "model")
	m.runSeconds = r.histograms("run_seconds", "Time of one model run.", seconds(0.001, 2, 14), "model")
	m.assemble = r.histograms("assemble_seconds", "Time in which the vectors of one run became rows.",
		seconds(1e-5, 4, 10), "model")
	m.gather = r.histogram("gather_seconds", "Time that the first rows of a part waited for its commit to begin.",
		seconds(0.01, 2, 12))
	m.commitTime = r.histogram("commit_seconds", "Time from closing a part to the log entry.", seconds(0.001, 2, 14))
}

func (m *Metrics) lost(r register) {
	m.deliveries = r.counters("deliveries_total", "Deliveries by what became of them.", "verdict")
	m.errors = r.counters("error_rows_total", "Rows whose error is set, by its class, of committed deliveries.",
		"model", "class")
	m.truncated = r.counters("truncated_rows_total", "Rows whose text was cut, of committed deliveries.", "model")
	m.cut = r.counters("dropped_tokens_total", "Tokens that were cut off in them.", "model")
	m.dead = r.counters("dead_letters_total", "Dead letters by class.", "class")
	m.letters = r.gauge("dead_letters_held", "Dead letters in the stream, of all daemons.")
	m.lettersFull = r.gauge("dead_letters_full",
		"1 while the stream of dead letters takes no more, as /status says; what would become one waits in the queue.")
	m.refused = r.gauges("refused_tables",
		"Tables that this version must not write to, as /status says why; work for them waits in the queue.", "dataset")
	m.dropped = r.counter("cancelled_messages_total", "Messages that a cancel dropped, fetched or not.")
}

func (m *Metrics) cost(r register) {
	m.rows = r.counters("rows_total", "Rows committed, error rows apart.", "dataset", "error")
	m.commits = r.counters("commits_total", "Commits by result.", "dataset", "result")
	m.texts = r.counters("texts_total", "Texts that were run, chunks one by one; those that are continued, as they begin.", "model")
	m.tokens = r.counters("tokens_total", "Tokens run, padding left out.", "model")
	m.padded = r.counters("padded_tokens_total", "Tokens run, padding counted.", "model")
	m.batches = r.counters("batches_total", "Model runs.", "model")
	m.made = r.counters("output_tokens_total", "Tokens that generation models made.", "model")
	m.read = r.counters("read_bytes_total", "Bytes of messages, and of the files and objects that they point to.", "model")
	m.written = r.counters("written_bytes_total", "Bytes of the parts that were committed.", "dataset")
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Ready says whether work can be taken and committed.
func (m *Metrics) Ready(now bool) { m.ready.Set(one(now)) }

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

// Stream is how large one of the queue's streams is, and may be; a limit of 0 is none.
func (m *Metrics) Stream(name string, bytes, limit int64) {
	m.streamBytes.WithLabelValues(name).Set(float64(bytes))
	if limit > 0 {
		m.streamLimit.WithLabelValues(name).Set(float64(limit))
	}
}

// Letters is how many dead letters there are.
func (m *Metrics) Letters(held int64) { m.letters.Set(float64(held)) }

// LettersFull says whether the stream of dead letters takes no more.
func (m *Metrics) LettersFull(now bool) { m.lettersFull.Set(one(now)) }

// Refused says whether a dataset's table may not be written to.
func (m *Metrics) Refused(dataset string, now bool) {
	if now {
		m.refused.WithLabelValues(m.datasets.label(dataset)).Set(1)
		return
	}
	m.refused.DeleteLabelValues(m.datasets.label(dataset))
}

// Committed counts a commit whose first rows had waited so long, and which took so long.
func (m *Metrics) Committed(dataset string, r export.Result, waited, took time.Duration) {
	m.gather.Observe(waited.Seconds())
	m.commitTime.Observe(took.Seconds())
	dataset = m.datasets.label(dataset)
	m.commits.WithLabelValues(dataset, "committed").Inc()
	m.rows.WithLabelValues(dataset, "false").Add(float64(r.Rows - r.Errors))
	m.rows.WithLabelValues(dataset, "true").Add(float64(r.Errors))
	m.written.WithLabelValues(dataset).Add(float64(r.Bytes))
}

// CommitFailed counts one that failed after so long.
func (m *Metrics) CommitFailed(dataset string, took time.Duration) {
	m.commitTime.Observe(took.Seconds())
	m.commits.WithLabelValues(m.datasets.label(dataset), "failed").Inc()
}

func one(now bool) float64 {
	if now {
		return 1
	}
	return 0
}

// revision is the commit that the program was built from, "unknown" where its builder did not say.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
