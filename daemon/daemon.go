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
	"textmill/daemon/descriptors"
	"textmill/daemon/follow"
	"textmill/daemon/housekeeping"
	"textmill/daemon/letters"
	"textmill/daemon/metrics"
	"textmill/daemon/web"
	"textmill/export"
	"textmill/jobs/queue"
)

// Daemon is the pipeline from the queue to the tables, ready to run.
type Daemon struct {
	cfg     config.Config
	log     *slog.Logger
	version string
	metrics *metrics.Metrics
	ledger  *ledger
	queue   *queue.Queue
	events  *follow.Follower
	keeper  *housekeeping.Keeper
	store   *export.Store
	lanes   *committers
	letters *letters.Writer
	settler *settler
	servers []*server
	alone   sync.RWMutex // see server
	natsURL string
	web     *web.Server

	work    context.Context // what was fetched; outlives the signal
	giveUp  context.CancelCauseFunc
	closers []closer
}

type closer struct {
	name string
	end  func() error
}

// New opens everything the daemon needs, in the order in which Run will close
// it backwards. On an error nothing stays open. version is the program's, for
// the log of the tables.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, version string) (_ *Daemon, err error) {
	d := &Daemon{cfg: cfg, log: log, version: version, metrics: metrics.New()}
	d.ledger = newLedger(log, d.metrics)
	d.work, d.giveUp = context.WithCancelCause(context.WithoutCancel(ctx))
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
		log.WarnContext(ctx, "fewer datasets than export.max_open can be open at a time; raise the limit of open files (ulimit -n)",
			"max_open", cfg.Export.MaxOpen, "open", shares.Tables, "limit", shares.Limit)
	}
	if err := d.openStore(); err != nil {
		return nil, err
	}
	if err := d.openQueue(ctx, shares.Clients); err != nil {
		return nil, err
	}
	d.letters = letters.New(d.queue, d.metrics, log)
	d.settler = &settler{queue: d.queue, letters: d.letters, log: log, metrics: d.metrics}
	d.lanes = &committers{store: d.store, maxOpen: shares.Tables, make: d.newCommitter, work: d.work, lanes: map[string]*lane{},
		refused: &refusals{log: log, metrics: d.metrics, why: map[string]string{}}}
	d.keeper = housekeeping.New(housekeeping.Options{Queue: d.queue, Streams: d.streams(), Store: d.store, Metrics: d.metrics, Log: log,
		Look: func(ctx context.Context) {
			d.lanes.refused.lookAgain(ctx, d.store)
			d.letters.LookAgain(ctx)
		}})
	d.events, err = follow.New(ctx, follow.Options{Queue: d.queue, Store: d.store, InFlight: d.ledger, Metrics: d.metrics, Log: log})
	if err != nil {
		return nil, err
	}
	d.onClose("events", d.events.Close)
	if err := d.openModels(ctx); err != nil {
		return nil, err
	}
	stop, err := d.queue.Announce(d.served)
	if err != nil {
		return nil, err
	}
	d.onClose("announcement", stop)
	if err := d.listen(ctx, shares.Connections); err != nil {
		return nil, err
	}
	return d, nil
}

// listen opens the pages.
func (d *Daemon) listen(ctx context.Context, connections int) error {
	token, err := d.cfg.HTTP.Secret()
	if err != nil {
		return err
	}
	o := web.Options{Addr: d.cfg.HTTP.Addr, Token: token, AllowedHosts: d.cfg.HTTP.AllowedHosts, Connections: connections,
		Metrics: d.metrics.Handler(), State: d.state, Log: d.log}
	for _, s := range d.servers {
		o.Models = append(o.Models, web.Model{Name: s.spec.Name, Task: s.spec.Task, SHA256: s.spec.SHA256, Device: s.device,
			BatchTokens: s.batch, Workers: s.workers, Tracer: s.tracer})
	}
	if d.web, err = web.Listen(ctx, o); err != nil {
		return fmt.Errorf("http.addr: %w", err)
	}
	d.onClose("http", d.web.Close)
	return nil
}

// state is what the pages say of the daemon.
func (d *Daemon) state() web.State {
	s := web.State{InFlight: d.ledger.size(), Unserved: d.keeper.Unserved(), Refused: d.lanes.refused.reasons(), LettersFull: d.letters.Trouble()}
	if !d.queue.Connected() {
		s.NotReady = append(s.NotReady, "nats: not connected")
	}
	if err := d.lanes.trouble(); err != nil {
		s.NotReady = append(s.NotReady, fmt.Sprintf("export: %v", err))
	}
	return s
}

// served is what this daemon tells those who ask.
func (d *Daemon) served() []queue.Served {
	var all []queue.Served
	for _, s := range d.servers {
		all = append(all, queue.Served{Task: s.spec.Task, Model: s.spec.Name, ModelSHA256: s.spec.SHA256})
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
	d.giveUp(nil)
	return errors.Join(errs...)
}

// Run works until ctx ends, then drains: it fetches nothing more, finishes or
// hands back what it holds within drain_timeout, and closes everything.
func (d *Daemon) Run(ctx context.Context) error {
	d.log.InfoContext(ctx, "textmill is ready", "nats", d.natsURL, "http", "http://"+d.web.Addr(), "tables", d.store.Path())
	var fetching, watching sync.WaitGroup
	for _, s := range d.servers {
		fetching.Go(func() { s.serve(ctx, d.work) })
	}
	beats, endBeats := context.WithCancel(d.work)
	watching.Go(func() { d.ledger.heartbeat(beats, d.cfg.NATS.AckWait) })
	watching.Go(func() { d.events.Run(ctx) })
	watching.Go(func() { d.keeper.Run(ctx) })

	<-ctx.Done()
	d.log.Info("draining", "deliveries", d.ledger.size(), "timeout", d.cfg.DrainTimeout)
	d.drain(&fetching)
	endBeats()
	watching.Wait()
	return d.close()
}

// drain finishes what was fetched. A part of drain_timeout is kept for handing
// back what cannot be finished in time.
func (d *Daemon) drain(fetching *sync.WaitGroup) {
	timeout := d.cfg.DrainTimeout
	limit := time.AfterFunc(timeout-min(timeout/4, 5*time.Second), func() {
		for _, f := range d.ledger.all(func(*flight) bool { return true }) {
			f.halt(errDraining)
		}
		for _, s := range d.servers {
			s.engine.Stop()
		}
	})
	defer limit.Stop()
	hard := time.AfterFunc(timeout, func() { d.giveUp(errDraining) })
	defer hard.Stop()

	d.lanes.commitAtOnce()
	fetching.Wait()
	for _, s := range d.servers {
		s.engine.Close()
	}
	if err := d.ledger.wait(d.work); err != nil {
		d.log.Warn("drain timed out; what is left will be delivered again", "deliveries", d.ledger.size())
	}
	d.lanes.finish()
}
