package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Stream is an answer of server-sent events. Its methods are safe for concurrent use.
type Stream struct {
	w    http.ResponseWriter
	conn *http.ResponseController

	mu    sync.Mutex
	begun bool // something was sent
	sent  int
}

const (
	// heartbeat is how often something is sent where nothing happens, so that proxies hold the line and a browser that
	// is gone is noticed.
	heartbeat = 15 * time.Second
	// slowest is how long a browser may take to read what is sent.
	slowest = 10 * time.Second
	// streamLife is how long a stream lasts; the browser asks again, and is asked again who it is.
	streamLife = 15 * time.Minute
)

// Events answers a request with server-sent events that send makes, as long as it runs, the browser is there, the
// daemon lives, and a stream lasts; where it fails before it has sent anything, with that failure. There are a few at
// a time; a browser beyond them is told to come back.
func (s *Site) Events(w http.ResponseWriter, r *http.Request, send func(context.Context, *Stream) error) {
	select {
	case s.watching <- struct{}{}:
		defer func() { <-s.watching }()
	default:
		s.Fail(w, r, &Failure{http.StatusServiceUnavailable, "Others are watching already. The page shows what is when it is loaded again."})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	if s.closing.Err() != nil { // which cancel may not have heard of yet
		s.Fail(w, r, &Failure{http.StatusServiceUnavailable, "The daemon goes down."})
		return
	}

	out := &Stream{w: w, conn: http.NewResponseController(w)}
	_ = out.conn.SetReadDeadline(time.Time{}) // else the server takes the browser for gone
	var beating sync.WaitGroup
	beating.Go(func() { out.beat(ctx, cancel) })
	err := send(ctx, out)
	gone := ctx.Err() != nil
	cancel()
	beating.Wait()
	switch {
	case !out.begun && s.closing.Err() != nil:
		s.Fail(w, r, &Failure{http.StatusServiceUnavailable, "The daemon ends."})
	case err == nil || gone:
	case !out.begun:
		s.Fail(w, r, err)
	default:
		s.o.Log.DebugContext(ctx, "stream of events ended", "path", r.URL.Path, "error", err)
	}
}

// Send sends an event, with data as JSON.
func (s *Stream) Send(event string, data any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false) // it is no HTML
	if err := enc.Encode(data); err != nil {
		return err
	}
	s.mu.Lock()
	s.sent++
	n := s.sent
	s.mu.Unlock()
	return s.write(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n", n, event, line.Bytes())) // which ends in a newline
}

func (s *Stream) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(slowest)); err != nil {
		return err
	}
	if !s.begun {
		s.begun = true
		secure(s.w.Header())
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("X-Accel-Buffering", "no") // of a proxy
		b = append([]byte("retry: 2000\n\n"), b...)
	}
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.conn.Flush()
}

// beat sends a comment now and then, and gives up when it cannot.
func (s *Stream) beat(ctx context.Context, giveUp func()) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.write([]byte(": still here\n\n")) != nil {
				giveUp()
				return
			}
		}
	}
}
