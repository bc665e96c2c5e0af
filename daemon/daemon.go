// Package daemon takes text jobs from a queue to rows in tables.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"textmill/config"
	"textmill/daemon/announce"
	"textmill/daemon/api"
	"textmill/daemon/batches"
	"textmill/daemon/commit"
	"textmill/daemon/descriptors"
	"textmill/daemon/follow"
	"textmill/daemon/housekeeping"
	"textmill/daemon/inflight"
	"textmill/daemon/lately"
	"textmill/daemon/letters"
	"textmill/daemon/metrics"
	"textmill/daemon/page"
	"textmill/daemon/session"
	"textmill/daemon/web"
	"textmill/export"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// Daemon is the pipeline from the queue to the tables, ready to run.
type Daemon struct {
	cfg        config.Config
	log        *slog.Logger
	version    string
	natsURL    string
	metrics    *metrics.Metrics
	lately     *lately.Memory
	queue      *queue.Queue
	store      *export.Store
	inFlight   *inflight.Set
	committers *commit.Committers
	letters    *letters.Writer
	events     *follow.Follower
	keeper     *housekeeping.Keeper
	traces     *telemetry.Tracer
	consumers  []*consumer
	batches    *batches.Batches
	api        *api.Server
	asks       *queue.Asks
	web        *web.Server
	closers    []closer
}

type closer struct {
	name string
	end  func() error
}

// New opens everything the daemon needs, in the order in which Run will close
// it backwards. On an error nothing stays open. version is the program's, for
// the log of the tables.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, version string) (_ *Daemon, err error) {
	d := newDaemon(cfg, log, version)
	log = d.log
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	shares, err := descriptors.Share(cfg.Export.MaxOpen, cfg.NATS.URL == "")
	if err != nil {
		return nil, err
	}
	if shares.Tables < cfg.Export.MaxOpen {
		log.WarnContext(ctx,
			"fewer datasets than export.max_open can be open at a time; raise the limit of open files (ulimit -n)",
			"max_open", cfg.Export.MaxOpen, "open", shares.Tables, "limit", shares.Limit)
	}
	if err := d.openTables(ctx, shares.Clients); err != nil {
		return nil, err
	}
	d.events, err = follow.New(ctx, follow.Options{Queue: d.queue, Store: d.store, InFlight: d.inFlight,
		Metrics: d.metrics, Log: log})
	if err != nil {
		return nil, err
	}
	d.onClose("events", d.events.Close)
	d.letters = letters.New(d.queue, d.metrics, log)
	repeats, err := cfg.Export.Repeats()
	if err != nil {
		return nil, err
	}
	d.committers = commit.New(commit.Options{Store: d.store, Announce: announce.New(d.queue, log).UpTo, OnRepeat: repeats,
		MaxOpen: shares.Tables, Interval: cfg.Export.CommitInterval, PartBytes: int64(cfg.Export.PartBytes),
		EndsJob: d.events.EndsJob, Committed: d.lately.Committed, Metrics: d.metrics, Log: log})
	from, length, err := cfg.Export.CompactWindow()
	if err != nil {
		return nil, err
	}
	d.keeper = housekeeping.New(housekeeping.Options{Queue: d.queue, Streams: d.streams(), Store: d.store,
		CompactFrom: from, CompactFor: length, Served: d.served, Ready: d.ready,
		Metrics: d.metrics, Log: log, Look: func(ctx context.Context) {
			d.committers.LookAgain(ctx)
			d.letters.LookAgain(ctx)
		}})
	if err := d.openConsumers(ctx); err != nil {
		return nil, err
	}
	stop, err := d.queue.Announce(d.served)
	if err != nil {
		return nil, err
	}
	d.onClose("announcement", stop)
	if err := d.stillBound(ctx); err != nil {
		return nil, err
	}
	if err := d.openAnswers(ctx, shares.Connections); err != nil {
		return nil, err
	}
	return d, nil
}

// newDaemon is one that has opened nothing yet.
func newDaemon(cfg config.Config, log *slog.Logger, version string) *Daemon {
	d := &Daemon{cfg: cfg, version: version, metrics: metrics.New(version), lately: lately.New()}
	d.log = slog.New(d.lately.Log(log.Handler()))
	d.inFlight = inflight.NewSet(d.log, d.metrics.InFlight)
	return d
}

// openPages has HTTP clients answered, so many at a time.
func (d *Daemon) openPages(ctx context.Context, connections int) error {
	if err := d.openBatches(); err != nil {
		return err
	}
	token, err := d.cfg.HTTP.Secret()
	if err != nil {
		return err
	}
	sessions := session.New(token)
	d.api = d.newAPI()
	shown := d.shown()
	o := web.Options{Addr: d.cfg.HTTP.Addr, TLS: d.tlsFiles(), Sessions: sessions, AllowedHosts: d.cfg.HTTP.AllowedHosts,
		Connections: connections, API: d.api, Pages: d.pages(sessions, connections, shown), Models: shown,
		Metrics: d.metrics.Handler(), Profiles: d.cfg.HTTP.PProf, State: d.state, Log: d.log}
	if d.web, err = web.Listen(ctx, o); err != nil {
		return err
	}
	d.onClose("http", d.web.Close)
	return nil
}

func (d *Daemon) tlsFiles() web.TLSFiles {
	files := d.cfg.HTTP.TLS
	return web.TLSFiles{Cert: files.CertFile, Key: files.KeyFile, ClientCA: files.ClientCAFile}
}

// pages are what people see; of the connections a quarter may be theirs that wait for news.
func (d *Daemon) pages(sessions *session.Sessions, connections int, shown []page.Model) *page.Site {
	seen := &sight{d: d}
	return page.New(page.Options{Version: d.version, Sessions: sessions, Watchers: connections / 4, Models: shown,
		Work: seen, Jobs: seen, Letters: seen, Tables: d.catalog(), Log: d.log})
}

// newAPI is what clients of OpenAI's API may ask for.
func (d *Daemon) newAPI() *api.Server {
	o := api.Options{RequestBytes: int64(d.cfg.HTTP.RequestBytes), RequestsPerMinute: d.cfg.HTTP.RequestsPerMinute,
		Batches: d.batches, FileBytes: int64(d.cfg.HTTP.FileBytes)}
	for _, c := range d.consumers {
		o.Models = append(o.Models, api.Model{Name: c.spec.Name, Task: c.spec.Task, SHA256: c.spec.SHA256, Asks: c.asks})
	}
	return api.New(o)
}

// state is what the pages say of the daemon.
func (d *Daemon) state() web.State {
	s := web.State{InFlight: d.inFlight.Size(), Unserved: d.keeper.Unserved(),
		Refused: d.committers.Refused(), LettersFull: d.letters.Trouble()}
	if !d.queue.Connected() {
		s.NotReady = append(s.NotReady, "nats: not connected")
	}
	if err := d.committers.Trouble(); err != nil {
		s.NotReady = append(s.NotReady, fmt.Sprintf("export: %v", err))
	}
	return s
}

// ready is whether work can be taken and committed.
func (d *Daemon) ready() bool { return len(d.state().NotReady) == 0 }

// served is what this daemon tells those who ask.
func (d *Daemon) served() []queue.Served {
	var all []queue.Served
	for _, c := range d.consumers {
		all = append(all, queue.Served{Task: c.spec.Task, Model: c.spec.Name, ModelSHA256: c.spec.SHA256})
	}
	return all
}

// NATSURL is where clients publish jobs.
func (d *Daemon) NATSURL() string { return d.natsURL }

func (d *Daemon) onClose(name string, end func() error) {
	d.closers = append(d.closers, closer{name, end})
}

// close ends everything opened, newest first.
func (d *Daemon) close() error {
	var errs []error
	for _, c := range slices.Backward(d.closers) {
		if err := c.end(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
	}
	d.closers = nil
	return errors.Join(errs...)
}

// Run works until ctx ends, then drains: it fetches nothing more, finishes or
// hands back what it holds within drain_timeout, and closes everything.
func (d *Daemon) Run(ctx context.Context) error {
	d.log.InfoContext(ctx, "textmill is ready", "nats", d.natsURL, "http", d.web.URL(),
		"tables", d.store.Path())
	work, giveUp := context.WithCancelCause(context.WithoutCancel(ctx)) // of what was fetched; outlives the signal
	defer giveUp(nil)
	var fetching, watching sync.WaitGroup
	for _, c := range d.consumers {
		fetching.Go(func() { c.consume(ctx, work) })
	}
	beats, endBeats := context.WithCancel(work)
	watching.Go(func() { d.inFlight.KeepLeases(beats, d.cfg.NATS.AckWait) })
	watching.Go(func() { d.events.Run(ctx) })
	watching.Go(func() { d.keeper.Run(ctx) })
	watching.Go(func() { d.batches.Run(ctx) })
	watching.Go(func() { d.sample(ctx) })

	<-ctx.Done()
	d.log.InfoContext(ctx, "draining", "deliveries", d.inFlight.Size(), "timeout", d.cfg.DrainTimeout)
	d.drain(work, giveUp, &fetching)
	endBeats()
	watching.Wait()
	return d.close()
}

// drain finishes what was fetched, or gives work up when it takes too long. A part of drain_timeout is kept for
// handing back what cannot be finished in time.
func (d *Daemon) drain(work context.Context, giveUp context.CancelCauseFunc, fetching *sync.WaitGroup) {
	timeout := d.cfg.DrainTimeout
	limit := time.AfterFunc(timeout-min(timeout/4, 5*time.Second), func() {
		for _, f := range d.inFlight.All(func(*inflight.Delivery) bool { return true }) {
			f.Halt(inflight.ErrDraining)
		}
		for _, c := range d.consumers {
			c.engine.Stop()
		}
	})
	defer limit.Stop()
	hard := time.AfterFunc(timeout, func() { giveUp(inflight.ErrDraining) })
	defer hard.Stop()

	answered := d.endAnswers(work)
	d.committers.CommitAtOnce()
	fetching.Wait()
	for _, c := range d.consumers {
		c.engine.Close()
	}
	if err := d.inFlight.Wait(work); err != nil {
		d.log.WarnContext(work, "drain timed out; what is left will be delivered again", "deliveries", d.inFlight.Size())
	}
	d.committers.Finish()
	<-answered
}
