package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how many HTTP clients there are at a time, so that none of them takes a descriptor that a commit
// needs. One that comes when there are too many takes the place of who has been there longest without being answered:
// who asked for nothing, asks very slowly, or has been refused. Where all are being answered it is turned away.
type connections struct {
	patience
	most int
	mu   sync.Mutex
	open map[net.Conn]*connection
}

// patience is how long one client may take.
type patience struct {
	header  time.Duration // to say what it asks for
	request time.Duration // to ask it
	answer  time.Duration // to be answered, and to read that
	idle    time.Duration // until it asks again
}

// usualPatience is everybody's but that of a trace, which takes longer to make its answer.
var usualPatience = patience{header: 5 * time.Second, request: 10 * time.Second, answer: 30 * time.Second,
	idle: 30 * time.Second}

// headerBytes bounds what a request may say; the text of a trace stands in its URL.
const headerBytes = 64 << 10

type connection struct {
	since     time.Time // of its last change
	answering bool
}

// connKey is a request's connection in its context.
type connKey struct{}

func newConnections(most int, p patience) *connections {
	return &connections{patience: p, most: most, open: map[net.Conn]*connection{}}
}

// server takes in no more clients than that.
func (c *connections) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ConnState: c.track,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ReadHeaderTimeout: c.header, ReadTimeout: c.request, WriteTimeout: c.answer, IdleTimeout: c.idle,
		MaxHeaderBytes: headerBytes,
	}
}

// track is the server's ConnState, which it calls for a new connection before it accepts the next.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch is := c.open[conn]; {
	case state == http.StateClosed || state == http.StateHijacked:
		delete(c.open, conn)
	case state == http.StateNew:
		c.enter(conn)
	case is != nil:
		is.since = time.Now()
	}
}

// enter needs c.mu.
func (c *connections) enter(conn net.Conn) {
	if len(c.open) >= c.most {
		goes := c.longest()
		if goes == nil {
			hangUp(conn) // the server notices at its first read
			return
		}
		delete(c.open, goes)
		hangUp(goes)
	}
	c.open[conn] = &connection{since: time.Now()}
}

// hangUp ends a connection without a word, for which a client under TLS might have to be waited for.
func hangUp(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close()
}

// longest needs c.mu; nil when every client is being answered.
func (c *connections) longest() (longest net.Conn) {
	for conn, is := range c.open {
		if !is.answering && (longest == nil || is.since.Before(c.open[longest].since)) {
			longest = conn
		}
	}
	return longest
}

// answering has a client keep its place while it is answered.
func (c *connections) answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		c.isAnswering(conn, true)
		defer c.isAnswering(conn, false)
		next.ServeHTTP(w, r)
	})
}

func (c *connections) isAnswering(conn net.Conn, now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is := c.open[conn]; is != nil {
		is.answering = now
	}
}
