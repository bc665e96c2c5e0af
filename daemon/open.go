package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"textmill/config"
	"textmill/daemon/metrics"
	"textmill/daemon/tracing"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/open/dial"
	"textmill/open/store"
	"textmill/open/telemetry"
	"textmill/work/rows"
	"textmill/work/trace"
)

func (d *Daemon) openStore() error {
	o, err := store.Options(d.cfg.Export, d.version)
	if err != nil {
		return err
	}
	o.Remember, o.Logger = d.cfg.Export.Remember, d.log
	o.Oldest = func(ctx context.Context) (time.Time, error) { return d.queue.Oldest(ctx) }
	tables, err := export.OpenStore(o)
	if err != nil {
		return err
	}
	d.store = tables
	d.onClose("tables", tables.Close)
	return nil
}

// openQueue connects to the server of nats.url, or to one of its own in this
// process, which then lets so many clients in.
func (d *Daemon) openQueue(ctx context.Context, clients int) error {
	url := d.cfg.NATS.URL
	if url == "" {
		e := d.cfg.NATS.Embedded
		guarded := e.Auth == config.AuthCredential
		server, err := embedded.Start(embedded.Options{
			Addr: e.Addr, Dir: e.Dir, Credential: guarded, CredentialFile: e.CredentialFile(),
			MaxConns: clients, Logger: d.log,
		})
		if err != nil {
			return fmt.Errorf("embedded nats-server: %w", err)
		}
		d.onClose("embedded nats-server", server.Close)
		url = server.URL()
		who := "any user of this machine"
		if guarded {
			who = "who has the nkey in " + e.CredentialFile()
		}
		d.log.InfoContext(ctx, "embedded nats-server listens", "url", url, "store", e.Dir, "lets_in", who)
	}
	options, err := dial.Options(d.cfg.NATS, d.log)
	if err != nil {
		return err
	}
	options.URL = url
	q, err := queue.Connect(ctx, options)
	if err != nil {
		return err
	}
	d.onClose("queue", func() error { q.Close(); return nil })
	d.queue, d.natsURL = q, url
	if err := q.EnsureStreams(ctx, d.streams()); err != nil {
		return err
	}
	return q.EnsureClaims(ctx)
}

// streams is how streams are made where they are absent.
func (d *Daemon) streams() queue.StreamOptions {
	return queue.StreamOptions{MaxBytes: int64(d.cfg.NATS.JobsMaxBytes)}
}

// openConsumers makes one for each model that is to be served.
func (d *Daemon) openConsumers(ctx context.Context) error {
	roots, err := input.OpenRoots(d.cfg.Input.Roots, d.cfg.Input.Allow)
	if err != nil {
		return err
	}
	d.onClose("input roots", roots.Close)
	all, err := d.openModels(ctx)
	if err != nil {
		return err
	}
	limits := jobs.Limits{RecordsPerShard: d.cfg.Limits.RecordsPerShard, RecordBytes: int(d.cfg.Limits.RecordBytes),
		ClaimBytes: int(d.cfg.Limits.ClaimBytes)}
	claims := newClaims(limits, claimsHeld)
	settler := &settler{queue: d.queue, letters: d.letters, claims: claims, log: d.log, metrics: d.metrics,
		lately: d.lately}
	traces, err := telemetry.Open(ctx, d.cfg.Telemetry, d.version, d.log)
	if err != nil {
		return err
	}
	d.onClose("traces", traces.Close)
	d.traces = traces
	var alone sync.RWMutex
	for _, m := range all {
		d.consumers = append(d.consumers, newConsumer(d.queue, &executor{
			loadedModel: m, inFlight: d.inFlight, feed: newFeed(), committers: d.committers,
			events: d.events, settler: settler, inputs: roots, claims: claims, limits: limits, traces: traces,
			alone: &alone, log: d.log,
		}))
	}
	return nil
}

// openModels loads every model that is to be served. One that the
// configuration names must load; of those found in the cache, one that does
// not is reported and left out, as long as any is left.
func (d *Daemon) openModels(ctx context.Context) (all []loadedModel, err error) {
	specs, errs := bundle.Served(d.cfg)
	if len(d.cfg.Models) > 0 && len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, spec := range specs {
		m, err := d.openModel(ctx, spec)
		if err != nil && len(d.cfg.Models) > 0 {
			return nil, err
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		none := fmt.Errorf("no model to serve in %s; run textmill setup, or textmill models pull",
			places.Models(d.cfg.Home))
		return nil, errors.Join(append(errs, none)...)
	}
	for _, err := range errs {
		d.log.ErrorContext(ctx, "model not served", "error", err)
	}
	return all, nil
}

// engine turns records into rows with one model.
type engine interface {
	Work(s *jobs.Shard, o rows.Origin) rows.Work
	// Stop ends runs in progress: records that are not through get nil rows. Close is still owed.
	Stop()
	// Close finishes what was accepted.
	Close()
}

// loadedModel is ready to run.
type loadedModel struct {
	spec    *models.Spec
	engine  engine
	tracer  tracing.Tracer
	asks    func(*jobs.Shard, rows.Origin) rows.Work // of whoever waits for the rows; nil where nobody may
	device  string
	workers int // rows or batches that run at a time
	batch   int // tokens a batch; 0 for a model that has none
	metrics *metrics.Model
	inTurn  bool     // its records are run in the order in which they are fed; else its jobs take turns themselves
	notes   []string // worth knowing of the session
	grew    int64    // what the process had more of memory once it was open
	bits    string   // what other texts of a run do to a text's bits here
	depends string   // why what it makes of a record depends on others; "" if it does not
}

func (d *Daemon) openModel(ctx context.Context, spec *models.Spec) (loadedModel, error) {
	load := d.openEmbedder
	if spec.Task == naming.TaskGenerate {
		load = d.openGenerator
	}
	before, _ := resident()
	m, err := load(ctx, spec)
	if err != nil {
		return loadedModel{}, fmt.Errorf("model %s: %w", spec.Name, err)
	}
	after, _ := resident()
	m.grew = max(after-before, 0)
	spec = m.spec // a more exact graph of the bundle may have taken over
	d.metrics.Serves(metrics.Served{Name: spec.Name, Task: spec.Task, SHA256: spec.SHA256, Device: m.device,
		Precision: spec.Precision})
	for _, note := range slices.Concat(spec.Notes, m.notes) {
		d.log.InfoContext(ctx, "about the model", "model", spec.Name, "note", note)
	}
	if m.depends != "" {
		d.log.WarnContext(ctx, m.depends+"; prefer another file of the model", "model", spec.Name, "graph", spec.Graph)
	}
	d.log.InfoContext(ctx, "model is served", "model", spec.Name, "task", spec.Task, "model_sha256", spec.SHA256,
		"device", m.device, "workers", m.workers, "batch_tokens", m.batch, "max_length", spec.MaxLength)
	return m, nil
}

func (d *Daemon) openEmbedder(ctx context.Context, spec *models.Spec) (loadedModel, error) {
	told := d.metrics.Model(spec.Name)
	e, err := open.Embedding(ctx, d.cfg, spec, open.EmbedderOptions{
		Session: open.Session(d.cfg, spec.Name), Observe: told.Ran, Timed: told.Timed, Log: d.log,
	})
	if err != nil {
		return loadedModel{}, err
	}
	spec = e.Spec // on a card the graph for cards
	d.onClose("model "+spec.Name, e.Close)
	return loadedModel{
		spec: spec, engine: e.Engine, asks: e.Engine.Asks, metrics: told,
		tracer: trace.Embedding{Spec: spec, Embedder: e, Engine: e.Engine, Tokenizer: e.Tokenizer},
		device: e.Device(), workers: e.Workers(), batch: e.BatchTokens(), inTurn: true,
		notes: e.Notes(), bits: e.Company().String(), depends: e.Dependence(),
	}, nil
}

func (d *Daemon) openGenerator(ctx context.Context, spec *models.Spec) (loadedModel, error) {
	told := d.metrics.Model(spec.Name)
	g, err := open.Generation(ctx, d.cfg, spec,
		open.GeneratorOptions{Observe: told.Generated, Timed: told.Begun, Log: d.log})
	if err != nil {
		return loadedModel{}, err
	}
	spec = g.Spec()
	d.onClose("model "+spec.Name, g.Close)
	return loadedModel{
		spec: spec, engine: g.Engine, asks: g.Engine.Asks, metrics: told,
		tracer: trace.Generation{Spec: spec, Device: g.Device(), Engine: g.Engine, Tokenizer: g.Tokenizer,
			MaxNewTokens: tracing.NewTokens},
		device: g.Device(), workers: g.Slots(), notes: g.Notes(), bits: g.Company().String(), depends: g.Dependence(),
	}, nil
}
