package daemon

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// connections bounds how many HTTP clients there are at a time, so that none of them takes a descriptor that a commit needs. One
// that comes when there are too many takes the place of who has been there longest without being answered: who asked for nothing,
// asks very slowly, or has been refused. Where all are being answered it is turned away.
type connections struct {
	most int
	mu   sync.Mutex
	open map[net.Conn]*connection
}

type connection struct {
	since     time.Time // of its last change
	answering bool
}

// connKey is a request's connection in its context.
type connKey struct{}

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*connection{}}
}

// server takes in no more clients than that.
func (c *connections) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ConnState: c.track,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
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
			_ = conn.Close() // the server notices at its first read
			return
		}
		delete(c.open, goes)
		_ = goes.Close()
	}
	c.open[conn] = &connection{since: time.Now()}
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
		c.answer(conn, true)
		defer c.answer(conn, false)
		next.ServeHTTP(w, r)
	})
}

func (c *connections) answer(conn net.Conn, now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is := c.open[conn]; is != nil {
		is.answering = now
	}
}

// withoutBody refuses requests that bring a body, before any of it is read: no page here takes one.
func withoutBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // the server would read on, to use the connection again
		http.Error(w, "a request to this address has no body", http.StatusRequestEntityTooLarge)
	})
}

// hosts are the names by which this daemon may be asked. A page of another site whose name was made to lead here has a browser
// ask by that name, and is refused on every path.
type hosts struct {
	names []string
	here  netip.Addr // where it listens
}

func newHosts(configured string, listens net.Addr, allowed []string) *hosts {
	h := &hosts{names: []string{"localhost"}}
	for _, name := range allowed {
		h.names = append(h.names, plainHost(name))
	}
	if name, _, err := net.SplitHostPort(configured); err == nil && name != "" {
		h.names = append(h.names, plainHost(name))
	}
	if at, ok := listens.(*net.TCPAddr); ok {
		h.here = at.AddrPort().Addr().Unmap()
	}
	return h
}

// plainHost is a host of a request or of the configuration without its port, as it is compared.
func plainHost(s string) string {
	if name, _, err := net.SplitHostPort(s); err == nil {
		s = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(s, "[]"), "."))
}

// only lets pass what asks for this daemon by its name, and by no page but its own.
func (h *hosts) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != "" && !h.are(plainHost(r.Host)): // HTTP/1.0 may name none; no browser speaks it
			http.Error(w, "this daemon is not known by that name; see http.allowed_hosts", http.StatusMisdirectedRequest)
		case !sameOrigin(r):
			http.Error(w, "a page of another origin may not ask this", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (h *hosts) are(name string) bool {
	if slices.Contains(h.names, name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if ip.IsLoopback() || ip == h.here {
		return true
	}
	return h.here.IsUnspecified() && ownAddress(ip)
}

// ownAddress tells whether an address is one of this machine.
func ownAddress(ip netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == ip.WithZone("") {
				return true
			}
		}
	}
	return false
}

// sameOrigin is false for what a browser says comes from a page of another host or port.
func sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.URL.RawQuery == "" // somebody follows a link to a page
	}
	return true
}
