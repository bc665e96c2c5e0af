package client

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/models"
	"textmill/open/bundle"
	"textmill/open/dial"
	"textmill/open/store"
	"textmill/work/resolve"
)

const (
	connectWait = 5 * time.Second
	// inFlightBytes bounds what a publisher holds of messages that the server has not confirmed.
	inFlightBytes = 8 << 20
)

// Connect dials the server of nats.url, or of a daemon's embedded server when that is empty. A server that
// does not answer within seconds is an error: unlike a daemon, a command does not wait for one.
func Connect(ctx context.Context, cfg config.Config, log *slog.Logger) (*queue.Queue, error) {
	o, err := dial.Options(cfg.NATS, log)
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

// Configure takes over what the configuration says about records, streams, models and tables, as a program of
// this version.
func (o *SubmitOptions) Configure(cfg config.Config, version string) (err error) {
	if o.Export, err = store.Options(cfg.Export, version); err != nil {
		return err
	}
	o.Limits = jobs.Limits{RecordsPerShard: cfg.Limits.RecordsPerShard, RecordBytes: int(cfg.Limits.RecordBytes),
		ClaimBytes: int(cfg.Limits.ClaimBytes)}
	o.Input.MaxRecordBytes = int(cfg.Limits.RecordBytes)
	o.Streams = queue.StreamOptions{MaxBytes: int64(cfg.NATS.JobsMaxBytes)}
	for name := range cfg.Models {
		spec, err := bundle.Open(cfg, name)
		if err != nil { // the daemon says what is wrong with it
			o.Local = append(o.Local, LocalModel{Name: name})
			continue
		}
		o.Local = append(o.Local, NewLocalModel(name, spec))
	}
	bundles, _ := models.ListBundles(cfg.Home) // a bundle that cannot be opened is unknown here; `models list` says why
	for _, b := range bundles {
		o.Local = append(o.Local, NewLocalModel(b.Name, b))
	}
	switch bucket := strings.HasPrefix(cfg.Export.URI, "s3://"); {
	case bucket:
	case onThisMachine(cfg.NATS.URL):
		if !strings.Contains(cfg.Export.URI, "://") {
			o.Tables = cfg.Export.URI
		}
	default:
		o.Unseen = "the queue is on another machine, and export.uri names a directory of this one; run this where the tables are, or keep them in a bucket"
	}
	return nil
}

// NewLocalModel is what a bundle tells.
func NewLocalModel(name string, spec *models.Spec) LocalModel {
	m := LocalModel{Name: name, Task: spec.Task, SHA256: spec.SHA256}
	if spec.Task == naming.TaskEmbed {
		m.Check = func(params []byte) (export.Vectors, error) {
			p, err := jobs.ParseEmbedParams(params)
			if err != nil {
				return export.Vectors{}, err
			}
			asked, err := resolve.Embed(p, spec, 0)
			if err != nil {
				return export.Vectors{}, err
			}
			return asked.Vectors(), nil
		}
	}
	return m
}

// onThisMachine says that a server's daemons may well write to this machine's tables.
func onThisMachine(natsURL string) bool {
	if natsURL == "" {
		return true
	}
	u, err := url.Parse(natsURL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Queue is the connection that Connect makes, named here for commands.
type Queue = queue.Queue
