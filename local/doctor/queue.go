package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"textmill/jobs/queue"
	"textmill/open/dial"
)

// patience is how long a server may take to answer at all.
const patience = 3 * time.Second

// answering is a daemon that listens.
type answering struct {
	base   string
	token  string
	client *http.Client
}

// get asks for one of its pages, of which it reads some.
func (a *answering) get(ctx context.Context, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	body, err = io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	return answer.StatusCode, body, err
}

// ports looks whether the addresses can be listened at, or who does.
func (x *examined) ports(ctx context.Context) {
	x.findDaemon(ctx)
	switch err := free(ctx, x.cfg.HTTP.Addr); {
	case x.daemon != nil:
		x.ok("ports", "http.addr: a daemon answers at %s", x.cfg.HTTP.Addr)
		x.ready(ctx)
	case err != nil:
		x.add("ports", Fail, "--set http.addr=127.0.0.1:0 lets the system choose", "http.addr: %v", err)
	default:
		x.ok("ports", "http.addr: %s is free, no daemon runs here", x.cfg.HTTP.Addr)
	}
	if x.cfg.NATS.URL != "" || x.daemon != nil {
		return
	}
	if err := free(ctx, x.cfg.NATS.Embedded.Addr); err != nil {
		x.add("ports", Warn, "--set nats.embedded.addr=127.0.0.1:0, or nats.url of the server that is there",
			"nats.embedded.addr: %v; a daemon's own server could not listen there", err)
		return
	}
	x.ok("ports", "nats.embedded.addr: %s is free", x.cfg.NATS.Embedded.Addr)
}

// findDaemon asks whoever listens at http.addr whether it is one.
func (x *examined) findDaemon(ctx context.Context) {
	host, port, err := net.SplitHostPort(x.cfg.HTTP.Addr)
	if err != nil || port == "0" {
		return
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	token, err := x.cfg.HTTP.Secret()
	if err != nil {
		x.add("permissions", Fail, "http.token_file of a file that this user can read and others cannot", "%v", err)
	}
	for _, scheme := range []string{"http", "https"} {
		a := &answering{base: scheme + "://" + net.JoinHostPort(host, port), token: token,
			client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}} //nolint:gosec // its own address, asked whether it lives
		if status, body, err := a.get(ctx, "/healthz"); err == nil && status == http.StatusOK && string(body) == "ok\n" {
			x.daemon = a
			return
		}
	}
}

func (x *examined) ready(ctx context.Context) {
	status, body, err := x.daemon.get(ctx, "/readyz")
	switch {
	case err != nil:
		x.add("daemon", Fail, "read its log, and start it again if it hangs", "/readyz: %v", err)
	case status != http.StatusOK:
		x.add("daemon", Fail, "mend what it names; it goes on by itself", "it takes in no work: %s", body)
	case strings.Count(string(body), "\n") > 1:
		x.add("daemon", Warn, "", "%s", body)
	default:
		x.ok("daemon", "it takes in work")
	}
}

// free tries to listen.
func free(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func (x *examined) nats(ctx context.Context) {
	embedded := x.cfg.NATS.URL == ""
	if embedded && x.daemon == nil && free(ctx, x.cfg.NATS.Embedded.Addr) == nil {
		x.ok("nats", "the server inside the daemon, which syncs each message before it acknowledges; its store is %s",
			x.cfg.NATS.Embedded.Dir)
		return
	}
	o, err := dial.Options(x.cfg.NATS, slog.New(slog.DiscardHandler))
	if err != nil {
		x.add("nats", Fail, "under that key a file that this user can read, or none", "%v", err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	q, err := queue.Connect(ctx, o)
	if err != nil {
		mend := "start it, or name another server by nats.url"
		if embedded {
			mend = "textmill daemon"
		}
		x.add("nats", Fail, mend, "%v", err)
		return
	}
	defer q.Close()
	x.natsSays(q.Examine(ctx), embedded)
	switch b, err := q.Binding(ctx); {
	case err == nil:
		x.bound = &b
	case b.Revision > 0:
		x.add("nats", Fail, "stop all daemons and run textmill daemon --bind-tables", "%v", err)
	}
}

const (
	smallPayload = 64 << 10
	slowAnswers  = 100 * time.Millisecond
	wrongClock   = 2 * time.Second
)

func (x *examined) natsSays(e queue.Examination, embedded bool) {
	x.ok("nats", "%s, answers within %s, max_payload %d", e, e.RoundTrip.Round(10*time.Microsecond), e.MaxPayload)
	if e.NoJetStream != nil {
		x.add("nats", Fail, "nats-server -js -sd DIR", "%v", e.NoJetStream)
		return
	}
	if e.MaxPayload < smallPayload {
		x.add("nats", Warn, "max_payload: 1MB in the server's configuration", "messages of %d bytes at most: each record becomes several",
			e.MaxPayload)
	}
	if e.RoundTrip > slowAnswers {
		x.add("nats", Warn, "run the daemon nearer to it", "answers take %s, and each delivery waits for three of them", e.RoundTrip)
	}
	if e.SkewKnown && e.Skew.Abs() > e.RoundTrip+wrongClock {
		apart := "ahead of"
		if e.Skew < 0 {
			apart = "behind"
		}
		x.add("nats", Warn, "timedatectl set-ntp true, on both", "its clock is %s %s this machine's",
			e.Skew.Abs().Round(time.Millisecond), apart)
	} else if e.SkewKnown {
		x.ok("nats", "its clock agrees with this machine's to %s", max(e.Skew.Abs(), e.RoundTrip).Round(time.Millisecond))
	}
	for _, err := range e.Differ {
		x.add("nats", Fail, "nats stream edit, or nats stream rm once it is empty: a daemon makes it anew", "%v", err)
	}
	if len(e.Absent) > 0 {
		x.ok("nats", "JetStream is there; a daemon will make %s", strings.Join(e.Absent, ", "))
	}
	if e.MaxStoreBytes > 0 && e.StoreBytes > e.MaxStoreBytes/10*9 {
		x.add("nats", Warn, "raise the account's limit, or let daemons finish what waits",
			"%d of %d bytes of JetStream's storage are taken", e.StoreBytes, e.MaxStoreBytes)
	}
	for _, s := range e.Streams {
		if s.Name == queue.DeadStream && s.Messages > 0 {
			x.add("nats", Warn, "textmill dead list", "%d dead letters are held", s.Messages)
		}
	}
	if embedded {
		x.ok("nats", "what it acknowledges is on disk")
		return
	}
	x.add("nats", Warn, "jetstream { sync_interval: always } in its configuration, if it is not there",
		"servers tell no client when they sync; by default a power cut loses what was acknowledged in the last two minutes")
}
