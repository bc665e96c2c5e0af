package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"textmill/config"
	"textmill/crash"
	"textmill/daemon/web"
	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/naming"
	"textmill/open"
	"textmill/open/bundle"
	"textmill/open/dial"
	"textmill/places"
	"textmill/work/trace"
)

func (d *Daemon) openStore() error {
	store, err := export.OpenStore(export.Options{
		URI:       d.cfg.Export.URI,
		Scratch:   d.cfg.Export.Scratch,
		Dirs:      d.cfg.Export.DirMode.Perm(),
		Files:     d.cfg.Export.FileMode.Perm(),
		PartBytes: int64(d.cfg.Export.PartBytes),
		Remember:  d.cfg.Export.Remember,
		Oldest:    func(ctx context.Context) (time.Time, error) { return d.queue.Oldest(ctx) },
		Metadata:  map[string]string{"textmill.version": d.version},
		Version:   d.version,
		Logger:    d.log,
		Intercept: crash.Files(),
		Now:       crash.Clock(),
	})
	if err != nil {
		return err
	}
	d.store = store
	d.onClose("tables", store.Close)
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
			Addr: e.Addr, Dir: e.Dir, Credential: guarded, CredentialFile: e.CredentialFile(), MaxConns: clients, Logger: d.log,
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
	return q.EnsureStreams(ctx, d.streams())
}

// streams is how streams are made where they are absent.
func (d *Daemon) streams() queue.StreamOptions {
	return queue.StreamOptions{MaxBytes: int64(d.cfg.NATS.JobsMaxBytes)}
}

// openModels loads every model that is to be served. One that the
// configuration names must load; of those found in the cache, one that does
// not is reported and left out, as long as any is left.
func (d *Daemon) openModels(ctx context.Context) error {
	roots, err := input.OpenRoots(d.cfg.Input.Roots)
	if err != nil {
		return err
	}
	d.onClose("input roots", roots.Close)
	specs, errs := bundle.Served(d.cfg)
	if len(d.cfg.Models) > 0 && len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, spec := range specs {
		s, err := d.openServer(ctx, spec, roots)
		if err != nil {
			if len(d.cfg.Models) > 0 {
				return err
			}
			errs = append(errs, err)
			continue
		}
		d.servers = append(d.servers, s)
	}
	if len(d.servers) == 0 {
		return errors.Join(append(errs, fmt.Errorf("no model to serve in %s; run textmill setup, or textmill models pull", places.Models(d.cfg.Home)))...)
	}
	for _, err := range errs {
		d.log.ErrorContext(ctx, "model not served", "error", err.Error())
	}
	return nil
}

// openServer loads a model and makes it ready to take deliveries.
func (d *Daemon) openServer(ctx context.Context, spec *models.Spec, roots *input.Roots) (*server, error) {
	s := &server{
		spec: spec, queue: d.queue, events: d.events, ledger: d.ledger, committers: d.lanes, settler: d.settler,
		inputs: roots, log: d.log, alone: &d.alone, limits: jobs.Limits{RecordsPerShard: d.cfg.Limits.RecordsPerShard, RecordBytes: int(d.cfg.Limits.RecordBytes)},
		consumers: map[string]*subject{}, most: maxConsumers, again: make(chan *queue.Delivery), stopped: make(chan struct{}),
	}
	load := d.openEmbedder
	if spec.Task == naming.TaskGenerate {
		load = d.openGenerator
	}
	notes, depends, err := load(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", spec.Name, err)
	}
	spec = s.spec // a more exact graph of the bundle may have taken over
	for _, note := range slices.Concat(spec.Notes, notes) {
		d.log.InfoContext(ctx, "about the model", "model", spec.Name, "note", note)
	}
	if depends != "" {
		d.log.WarnContext(ctx, depends+"; prefer another file of the model", "model", spec.Name, "graph", spec.Graph)
	}
	d.log.InfoContext(ctx, "model is served", "model", spec.Name, "task", spec.Task, "model_sha256", spec.SHA256,
		"device", s.device, "workers", s.workers, "batch_tokens", s.batch, "max_length", spec.MaxLength)
	return s, nil
}

// openEmbedder gives what is worth knowing of the session, and why its vectors depend on their batch, "" if they do not.
func (d *Daemon) openEmbedder(ctx context.Context, s *server) (notes []string, depends string, err error) {
	e, err := open.Embedding(ctx, d.cfg, s.spec, open.EmbedderOptions{
		Session: open.Session(d.cfg, s.spec.Name), Observe: d.metrics.Observe(s.spec.Name), Log: d.log,
	})
	if err != nil {
		return nil, "", err
	}
	d.onClose("model "+s.spec.Name, e.Close)
	s.device, s.workers, s.batch, s.engine = e.Device(), e.Workers(), e.BatchTokens(), e.Engine
	s.tracer = trace.Embedding{Spec: s.spec, Embedder: e, Engine: e.Engine, Tokenizer: e.Tokenizer}
	return e.Notes(), e.Dependence(), nil
}

// openGenerator is openEmbedder for texts.
func (d *Daemon) openGenerator(ctx context.Context, s *server) (notes []string, depends string, err error) {
	g, err := open.Generation(ctx, d.cfg, s.spec, d.log, d.metrics.ObserveGeneration(s.spec.Name))
	if err != nil {
		return nil, "", err
	}
	s.spec = g.Spec()
	s.feeder = newFeeder(func(batch []unfed) { s.feed(d.work, batch) })
	d.onClose("model "+s.spec.Name, g.Close)
	s.device, s.workers, s.engine = g.Device(), g.Slots(), g.Engine
	s.tracer = trace.Generation{Spec: s.spec, Device: g.Device(), Engine: g.Engine, Tokenizer: g.Tokenizer, MaxNewTokens: web.NewTokens}
	return g.Notes(), g.Dependence(), nil
}

// newCommitter makes the committer of a dataset; its lane starts it.
func (d *Daemon) newCommitter(dataset string, t *export.Table) *committer {
	return &committer{
		table: t, dataset: dataset, settler: d.settler, events: d.events, log: d.log, metrics: d.metrics, lanes: d.lanes,
		interval: d.cfg.Export.CommitInterval, partSize: int64(d.cfg.Export.PartBytes),
		pieces: make(chan piece, 16), gone: make(chan struct{}), drain: make(chan struct{}), finished: make(chan struct{}),
		spools: map[*flight]*export.Spool{}, refused: map[*flight]error{}, turns: make(chan struct{}, settleAtOnce),
	}
}
