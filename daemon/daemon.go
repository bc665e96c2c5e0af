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
	"textmill/export"
	"textmill/jobs/queue"
)

// Daemon is the pipeline from the queue to the tables, ready to run.
type Daemon struct {
	cfg      config.Config
	log      *slog.Logger
	version  string
	shares   shares
	metrics  *metrics
	ledger   *ledger
	queue    *queue.Queue
	tracker  *queue.Tracker
	cancels  *cancels
	store    *export.Store
	lanes    *committers
	letters  *letters
	settler  *settler
	servers  []*server
	alone    sync.RWMutex // see server
	natsURL  string
	httpAddr string
	tracers  chan struct{} // a place for each that runs

	work     context.Context // what was fetched; outlives the signal
	giveUp   context.CancelCauseFunc
	closers  []closer
	mu       sync.Mutex
	unserved []string
}

type closer struct {
	name string
	end  func() error
}

// New opens everything the daemon needs, in the order in which Run will close
// it backwards. On an error nothing stays open. version is the program's, for
// the log of the tables.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, version string) (_ *Daemon, err error) {
	d := &Daemon{cfg: cfg, log: log, version: version, metrics: newMetrics(), tracers: make(chan struct{}, pageTracers)}
	d.ledger = newLedger(log, d.metrics)
	d.work, d.giveUp = context.WithCancelCause(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.shares, err = shareDescriptors(cfg.Export.MaxOpen, cfg.NATS.URL == ""); err != nil {
		return nil, err
	}
	if d.shares.tables < cfg.Export.MaxOpen {
		log.WarnContext(ctx, "fewer datasets than export.max_open can be open at a time; raise the limit of open files (ulimit -n)",
			"max_open", cfg.Export.MaxOpen, "open", d.shares.tables, "limit", d.shares.limit)
	}
	if err := d.openStore(); err != nil {
		return nil, err
	}
	if err := d.openQueue(ctx); err != nil {
		return nil, err
	}
	d.letters = &letters{queue: d.queue, log: log, gauge: d.metrics.lettersFull}
	d.settler = &settler{queue: d.queue, letters: d.letters, log: log, metrics: d.metrics}
	d.lanes = &committers{store: d.store, maxOpen: d.shares.tables, make: d.newCommitter, work: d.work, lanes: map[string]*lane{},
		refused: &refusals{log: log, gauge: d.metrics.refused, why: map[string]string{}}}
	if err := d.openTracker(ctx); err != nil {
		return nil, err
	}
	if err := d.openModels(ctx); err != nil {
		return nil, err
	}
	stop, err := d.queue.Announce(d.served)
	if err != nil {
		return nil, err
	}
	d.onClose("announcement", stop)
	token, err := cfg.HTTP.Secret()
	if err != nil {
		return nil, err
	}
	if err := d.listen(ctx, cfg.HTTP.Addr, token); err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	return d, nil
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
	d.log.InfoContext(ctx, "textmill is ready", "nats", d.natsURL, "http", "http://"+d.httpAddr, "tables", d.store.Path())
	var fetching, watching sync.WaitGroup
	for _, s := range d.servers {
		fetching.Go(func() { s.serve(ctx, d.work) })
	}
	beats, endBeats := context.WithCancel(d.work)
	watching.Go(func() { d.ledger.heartbeat(beats, d.cfg.NATS.AckWait) })
	watching.Go(func() { d.follow(ctx) })
	watching.Go(func() { d.housekeep(ctx) })

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
