package client

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"textmill/config"
	"textmill/daemon"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/models"
)

const (
	connectWait = 5 * time.Second
	// inFlightBytes bounds what a publisher holds of messages that the server has not confirmed.
	inFlightBytes = 8 << 20
)

// Connect dials the server of nats.url, or of a daemon's embedded server when that is empty. A server that
// does not answer within seconds is an error: unlike a daemon, a command does not wait for one.
func Connect(ctx context.Context, cfg config.Config, log *slog.Logger) (*queue.Queue, error) {
	o, err := daemon.QueueOptions(cfg.NATS, log)
	if err != nil {
		return nil, err
	}
	o.Name, o.PublishBytes = "textmill client", inFlightBytes
	remedy := "is nats.url right?"
	if cfg.NATS.URL == "" {
		remedy = "start textmill daemon, or set nats.url"
	}
	soon, cancel := context.WithTimeoutCause(ctx, connectWait, fmt.Errorf("no answer within %v; %s", connectWait, remedy))
	defer cancel()
	return queue.Connect(soon, o)
}

// Configure takes over what the configuration says about records, streams and models.
func (o *SubmitOptions) Configure(cfg config.Config) {
	o.Limits = jobs.Limits{RecordsPerShard: cfg.Limits.RecordsPerShard, RecordBytes: int(cfg.Limits.RecordBytes)}
	o.Input.MaxRecordBytes = int(cfg.Limits.RecordBytes)
	o.Streams = queue.StreamOptions{MaxBytes: int64(cfg.NATS.JobsMaxBytes)}
	bundles, _ := models.ListBundles(cfg.Home) // a bundle that cannot be opened is unknown here; `models list` says why
	for _, b := range bundles {
		o.LocalModels = append(o.LocalModels, b.Name)
	}
	for name := range cfg.Models {
		o.LocalModels = append(o.LocalModels, name)
	}
}

// Queue is the connection that Connect makes, named here for commands.
type Queue = queue.Queue
