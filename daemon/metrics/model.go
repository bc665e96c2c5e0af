package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"textmill/models/generate"
	"textmill/work/embedding"
	"textmill/work/rows"
)

// Served is a model that the daemon runs.
type Served struct{ Name, Task, SHA256, Device, Precision string }

// Serves says what is run.
func (m *Metrics) Serves(s Served) {
	m.serves.WithLabelValues(s.Name, s.Task, s.SHA256, s.Device, s.Precision).Set(1)
}

// Model is what is told of one model. Its series are found once, so that telling allocates nothing.
type Model struct {
	all  *Metrics
	name string

	read      prometheus.Counter
	queued    prometheus.Observer
	texts     prometheus.Counter
	tokens    prometheus.Counter
	padded    prometheus.Counter
	batches   prometheus.Counter
	made      prometheus.Counter
	run       prometheus.Histogram
	stages    [rows.Assemble + 1]prometheus.Observer // nil of rows.Run
	truncated prometheus.Counter
	dropped   prometheus.Counter

	records atomic.Uint64 // of a delivery, as the last ones had; in 1/256
}

// Model is the one of a name.
func (m *Metrics) Model(name string) *Model {
	if known, ok := m.models.Load(name); ok {
		return known.(*Model)
	}
	one := &Model{all: m, name: name,
		read: m.read.WithLabelValues(name), queued: m.queue.WithLabelValues(name),
		texts: m.texts.WithLabelValues(name), tokens: m.tokens.WithLabelValues(name), padded: m.padded.WithLabelValues(name),
		batches: m.batches.WithLabelValues(name), made: m.made.WithLabelValues(name),
		run: m.runSeconds.WithLabelValues(name).(prometheus.Histogram), truncated: m.truncated.WithLabelValues(name),
		dropped: m.cut.WithLabelValues(name)}
	one.stages[rows.Tokenize] = m.tokenize.WithLabelValues(name)
	one.stages[rows.Wait] = m.wait.WithLabelValues(name)
	one.stages[rows.Assemble] = m.assemble.WithLabelValues(name)
	known, _ := m.models.LoadOrStore(name, one)
	return known.(*Model)
}

// Fetched counts a delivery that was published at some time, by the server's clock. How long it was in the queue is
// observed when it comes for the first time.
func (m *Model) Fetched(published time.Time, first bool, bytes int) {
	m.read.Add(float64(bytes))
	if first {
		m.queued.Observe(max(time.Since(published), 0).Seconds())
	}
}

// Read counts bytes of files and objects that messages point to.
func (m *Model) Read(bytes int) { m.read.Add(float64(bytes)) }

// Ran is told of a model's batches.
func (m *Model) Ran(b embedding.BatchStats) {
	m.texts.Add(float64(b.Texts))
	m.tokens.Add(float64(b.Tokens))
	m.padded.Add(float64(b.PaddedTokens))
	m.batches.Inc()
	m.run.Observe(b.Took.Seconds())
}

// Generated is told of a generation model's runs.
func (m *Model) Generated(r generate.RunStats) {
	m.Ran(embedding.BatchStats{Tokens: r.Tokens, PaddedTokens: r.Padded, Took: r.Took})
	m.made.Add(float64(r.New))
}

// Begun is told of the stages of a generation model's texts, each of which waits for a slot once.
func (m *Model) Begun(s rows.Stage, took time.Duration) {
	if s == rows.Wait {
		m.texts.Inc()
	}
	m.Timed(s, took)
}

// Timed is told of the other stages.
func (m *Model) Timed(s rows.Stage, took time.Duration) {
	if o := m.stages[s]; o != nil {
		o.Observe(took.Seconds())
	}
}

// Made is what a committed delivery's rows say.
type Made struct {
	Records, Truncated, Dropped int
	Errors                      map[string]int // by class
}

// Committed counts a committed delivery's rows.
func (m *Model) Committed(made Made) {
	m.truncated.Add(float64(made.Truncated))
	m.dropped.Add(float64(made.Dropped))
	for class, n := range made.Errors {
		m.all.errors.WithLabelValues(m.name, class).Add(float64(n))
	}
	m.sized(made.Records)
}

// sized has the size of one more delivery weigh an eighth of what the next are taken to have.
func (m *Model) sized(records int) {
	const one = 256
	for {
		old := m.records.Load()
		next := uint64(records) * one
		if old > 0 {
			next = old - old/8 + uint64(records)*one/8
		}
		if m.records.CompareAndSwap(old, next) {
			return
		}
	}
}

// Lag is what waits for the model, in all daemons: messages that are not settled, and how long the oldest has been
// in the queue.
func (m *Model) Lag(messages uint64, oldest time.Duration) {
	m.all.lagMessages.WithLabelValues(m.name).Set(float64(messages))
	m.all.lagSeconds.WithLabelValues(m.name).Set(max(oldest, 0).Seconds())
	if size := m.records.Load(); size > 0 {
		m.all.lagRecords.WithLabelValues(m.name).Set(float64(messages) * float64(size) / 256)
	}
}
