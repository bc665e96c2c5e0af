package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Examination is what was found of a server: nothing is made there or changed.
type Examination struct {
	Server, Version string
	RoundTrip       time.Duration
	MaxPayload      int64
	// Skew is how far the server's clock is ahead of ours, give or take a round trip; SkewKnown is false where no stream
	// is there to ask.
	Skew      time.Duration
	SkewKnown bool
	// NoJetStream says why there is none, or no right to it.
	NoJetStream error
	// StoreBytes of at most MaxStoreBytes are taken of the account's file storage; a limit of 0 is none.
	StoreBytes, MaxStoreBytes int64
	Streams                   []StreamSize
	Absent                    []string // streams that a daemon will make
	Differ                    []error  // settings under which messages would be lost, ErrStreamDiffers
}

// Examine looks at the server and at textmill's streams.
func (q *Queue) Examine(ctx context.Context) Examination {
	x := Examination{Server: q.server, Version: q.nc.ConnectedServerVersion(), MaxPayload: q.nc.MaxPayload()}
	if rtt, err := q.nc.RTT(); err == nil {
		x.RoundTrip = rtt
	}
	account, err := q.js.AccountInfo(ctx)
	if err != nil {
		x.NoJetStream = q.streamError("ask for the account of", "$JS", err)
		return x
	}
	x.StoreBytes, x.MaxStoreBytes = int64(account.Store), max(account.Limits.MaxStore, 0)
	for _, want := range wantedStreams(StreamOptions{}) {
		asked := time.Now()
		s, err := q.js.Stream(ctx, want.cfg.Name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			x.Absent = append(x.Absent, want.cfg.Name)
			continue
		case err != nil:
			x.Differ = append(x.Differ, q.streamError("look up", want.cfg.Name, err))
			continue
		}
		have := s.CachedInfo()
		if at := have.TimeStamp; !at.IsZero() && !x.SkewKnown {
			x.Skew, x.SkewKnown = at.Sub(asked.Add(time.Since(asked)/2)), true
		}
		x.Streams = append(x.Streams, sizeOf(have))
		if err := q.checkStream(have.Config, want.cfg); err != nil {
			x.Differ = append(x.Differ, err)
		}
	}
	return x
}

// String is the server with its version.
func (x Examination) String() string {
	return fmt.Sprintf("%s, nats-server %s", x.Server, x.Version)
}
