package daemon

import (
	"context"
	"time"

	"textmill/daemon/inflight"
	"textmill/jobs/queue"
)

// openAnswers has whoever asks answered: by HTTP so many clients at a time, and by NATS.
func (d *Daemon) openAnswers(ctx context.Context, connections int) error {
	if err := d.openPages(ctx, connections); err != nil {
		return err
	}
	return d.openAsks(ctx)
}

// openAsks has requests by NATS answered as those by HTTP are.
func (d *Daemon) openAsks(ctx context.Context) (err error) {
	if d.cfg.NATS.Asks == 0 {
		return nil
	}
	d.asks, err = d.queue.ServeAsks(context.WithoutCancel(ctx), queue.AskOptions{
		Version: d.version, Models: d.served(), AtOnce: d.cfg.NATS.Asks,
		Answer: func(ctx context.Context, a queue.Ask) queue.AskAnswer {
			is := d.api.Ask(ctx, a.Task, a.Model, a.Text, a.Data)
			return queue.AskAnswer{Data: is.Body, Header: is.Header, Code: is.Status, Reason: is.Reason}
		}})
	if err != nil {
		return err
	}
	d.onClose("requests by nats", func() error {
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, inflight.ErrDraining)
		defer cancel()
		return d.asks.Stop(ctx)
	})
	return nil
}

// endAnswers takes no more requests. The channel is closed when those that came before are answered, or work ended.
func (d *Daemon) endAnswers(work context.Context) <-chan struct{} {
	done, answered := make(chan struct{}), d.api.Drain()
	go func() {
		defer close(done)
		if d.asks != nil {
			if err := d.asks.Stop(work); err != nil {
				d.log.WarnContext(work, "requests by nats were left without an answer", "error", err)
			}
		}
		select {
		case <-answered:
		case <-work.Done():
		}
	}()
	return done
}
