package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"textmill/config"
	"textmill/crash"
	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/models/generate"
	"textmill/tokenize"
	"textmill/work/embedding"
	"textmill/work/generation"
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
// process.
func (d *Daemon) openQueue(ctx context.Context) error {
	url := d.cfg.NATS.URL
	if url == "" {
		e := d.cfg.NATS.Embedded
		server, err := embedded.Start(embedded.Options{
			Addr: e.Addr, Dir: e.Dir, Credential: e.Auth == config.AuthCredential, MaxConns: d.shares.clients, Logger: d.log,
		})
		if err != nil {
			return fmt.Errorf("embedded nats-server: %w", err)
		}
		d.onClose("embedded nats-server", server.Close)
		url = server.URL()
		who := "any user of this machine"
		if e.Auth == config.AuthCredential {
			who = "who has the nkey in " + embedded.CredentialFile(e.Dir)
		}
		d.log.InfoContext(ctx, "embedded nats-server listens", "url", url, "store", e.Dir, "lets_in", who)
	}
	options, err := QueueOptions(d.cfg.NATS, d.log)
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

// QueueOptions is how a process connects to the server that the configuration
// names; secrets are read from their files. To a daemon's embedded server it
// brings that server's credential, where there is one that this user may read.
func QueueOptions(n config.NATS, log *slog.Logger) (queue.Options, error) {
	token, password, err := n.Secrets()
	if err != nil {
		return queue.Options{}, err
	}
	o := queue.Options{
		URL: n.URL, Name: "textmill", AckWait: n.AckWait, Logger: log,
		Credentials: n.CredentialsFile, NKeyFile: n.NKeyFile, Token: token, User: n.User, Password: password,
		CAFile: n.TLS.CAFile, CertFile: n.TLS.CertFile, KeyFile: n.TLS.KeyFile, InboxPrefix: n.InboxPrefix,
	}
	if o.URL != "" {
		return o, nil
	}
	o.URL = "nats://" + n.Embedded.Addr
	file := embedded.CredentialFile(n.Embedded.Dir)
	_, err = os.Stat(file)
	switch given := o.Credentials + o.NKeyFile + o.Token + o.User; {
	case n.Embedded.Auth == config.AuthCredential && given != "":
		return o, errors.New("nats: the embedded server knows no login but its own credential; leave out credentials_file, nkey_file, token and user")
	case n.Embedded.Auth == config.AuthCredential, given == "" && err == nil:
		o.NKeyFile = file
	}
	return o, nil
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
	src := source{roots: roots, recordBytes: int(d.cfg.Limits.RecordBytes)}

	specs, errs := d.bundles()
	if len(d.cfg.Models) > 0 && len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, spec := range specs {
		s, err := d.openServer(ctx, spec, src)
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
		return errors.Join(append(errs, fmt.Errorf("no model to serve in %s; run textmill setup, or textmill models pull", filepath.Join(d.cfg.Home, "models")))...)
	}
	for _, err := range errs {
		d.log.ErrorContext(ctx, "model not served", "error", err.Error())
	}
	return nil
}

// bundles lists the models of the configuration, else those in the cache.
func (d *Daemon) bundles() ([]*models.Spec, []error) {
	if len(d.cfg.Models) == 0 {
		return models.ListBundles(d.cfg.Home)
	}
	var specs []*models.Spec
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Models)) {
		spec, err := OpenBundle(d.cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, spec)
	}
	return specs, errs
}

// OpenBundle opens a model by name: where the configuration says it lies, else
// in the cache.
func OpenBundle(cfg config.Config, name string) (*models.Spec, error) {
	m := cfg.Models[name]
	dir := m.Path
	if dir == "" {
		dir = filepath.Join(cfg.Home, "models", name)
	}
	spec, err := models.OpenGraph(dir, m.ONNXFile)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return spec, nil
}

// SessionOptions is how the configuration runs a model.
func SessionOptions(cfg config.Config, name string) models.SessionOptions {
	m := cfg.Models[name]
	o := models.SessionOptions{Home: cfg.Home, Library: cfg.Runtime.Library, Device: cfg.Runtime.Device, Threads: cfg.Runtime.Threads, BatchTokens: m.BatchTokens}
	if m.Device != "" {
		o.Device = m.Device
	}
	if m.Threads != 0 {
		o.Threads = m.Threads
	}
	return o
}

// openServer loads a model and makes it ready to take deliveries.
func (d *Daemon) openServer(ctx context.Context, spec *models.Spec, src source) (*server, error) {
	s := &server{
		spec: spec, queue: d.queue, tracker: d.tracker, ledger: d.ledger, committers: d.lanes, settler: d.settler, cancels: d.cancels,
		source: src, log: d.log, alone: &d.alone, limits: jobs.Limits{RecordsPerShard: d.cfg.Limits.RecordsPerShard, RecordBytes: int(d.cfg.Limits.RecordBytes)},
		consumers: map[string]*subject{}, most: maxConsumers, again: make(chan *queue.Delivery), stopped: make(chan struct{}),
	}
	open := d.openEmbedder
	if spec.Task == models.TaskGenerate {
		open = d.openGenerator
	}
	notes, depends, err := open(ctx, s)
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
	tok, err := s.spec.Tokenizer()
	if err != nil {
		return nil, "", err
	}
	embedder, err := models.OpenEmbedder(ctx, s.spec, SessionOptions(d.cfg, s.spec.Name))
	if err != nil {
		return nil, "", err
	}
	d.onClose("model "+s.spec.Name, embedder.Close)
	s.device, s.workers, s.batch = embedder.Device(), embedder.Workers(), embedder.BatchTokens()
	made, end, err := TokenizerOf(ctx, d.cfg, s.spec, tok, d.log)
	if err != nil {
		return nil, "", err
	}
	d.onClose("tokenizer of "+s.spec.Name, end)
	e := embedding.New(embedding.Options{
		Spec: s.spec, Embedder: embedder, Tokenizer: made, WindowTokens: d.cfg.Limits.WindowTokens,
		RunTimeout: d.cfg.Limits.RunTimeout, Observe: d.metrics.observe(s.spec.Name),
	})
	s.engine, s.tracer = e, trace.Embedding{Spec: s.spec, Embedder: embedder, Engine: e, Tokenizer: tok}
	return embedder.Notes(), embedder.Dependence(), nil
}

// openGenerator is openEmbedder for texts.
func (d *Daemon) openGenerator(ctx context.Context, s *server) (notes []string, depends string, err error) {
	g, err := OpenGenerator(ctx, d.cfg, s.spec, d.metrics.observeGeneration(s.spec.Name))
	if err != nil {
		return nil, "", err
	}
	s.spec = g.Spec()
	s.feeder = newFeeder(func(f *flight, shard *jobs.Shard) { s.feed(d.work, f, shard) })
	d.onClose("model "+s.spec.Name, g.Close)
	s.device, s.workers, s.engine = g.Device(), g.Slots(), g.Engine
	s.tracer = trace.Generation{Spec: s.spec, Device: g.Device(), Engine: g.Engine, Tokenizer: g.Tokenizer, MaxNewTokens: pageNewTokens}
	return g.Notes(), g.Dependence(), nil
}

// A Generator is a generation model that is ready to work.
type Generator struct {
	*generate.Generator
	Engine    *generation.Engine
	Tokenizer *tokenize.Tokenizer
	notes     []string
}

// Notes are things worth knowing about this session, beside those of the Spec.
func (g *Generator) Notes() []string { return slices.Concat(g.Generator.Notes(), g.notes) }

// OpenGenerator loads a generation model as the configuration says.
func OpenGenerator(ctx context.Context, cfg config.Config, spec *models.Spec, observe func(generate.RunStats)) (*Generator, error) {
	tok, err := spec.Tokenizer()
	if err != nil {
		return nil, err
	}
	template, note, err := generation.LoadTemplate(spec)
	if err != nil {
		return nil, err
	}
	m, l := cfg.Models[spec.Name], cfg.Limits
	if m.TokenizerEngine == config.EngineSugarme {
		return nil, fmt.Errorf("models.%s.tokenizer_engine: sugarme is for embedding models, this one generates", spec.Name)
	}
	g, err := generate.Open(ctx, spec, generate.Options{
		SessionOptions: SessionOptions(cfg, spec.Name), Tokenizer: tok, RunTimeout: cfg.Limits.RunTimeout, Observe: observe,
		Slots: cmp.Or(m.Slots, cfg.Generate.Slots), Memory: int64(cfg.Generate.Memory), MaxLength: m.MaxLength,
	})
	if err != nil {
		return nil, err
	}
	out := &Generator{Generator: g, Tokenizer: tok, Engine: generation.New(generation.Options{Spec: g.Spec(), Generator: g, Tokenizer: tok, Template: template,
		Limits: &generation.Limits{MaxNewTokens: l.MaxNewTokens, N: l.N, TopLogprobs: l.TopLogprobs, Stop: l.Stop, TokensPerShard: int64(l.TokensPerShard)}})}
	if note != "" {
		out.notes = []string{note}
	}
	return out, nil
}

// newCommitter makes the committer of a dataset; its lane starts it.
func (d *Daemon) newCommitter(dataset string, t *export.Table) *committer {
	return &committer{
		table: t, dataset: dataset, settler: d.settler, tracker: d.tracker, log: d.log, metrics: d.metrics, lanes: d.lanes,
		interval: d.cfg.Export.CommitInterval, partSize: int64(d.cfg.Export.PartBytes),
		pieces: make(chan piece, 16), gone: make(chan struct{}), drain: make(chan struct{}), finished: make(chan struct{}),
		spools: map[*flight]*export.Spool{}, refused: map[*flight]error{}, turns: make(chan struct{}, settleAtOnce),
	}
}
