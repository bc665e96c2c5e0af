// Package queue moves job messages, dead letters and events through NATS JetStream.
package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers tell apart.
var (
	ErrDisconnected    = errors.New("the connection to NATS is down")
	ErrRefused         = errors.New("NATS refuses the connection")
	ErrNoJetStream     = errors.New("the NATS server has no JetStream")
	ErrStreamDiffers   = errors.New("the stream exists with other settings")
	ErrConsumerDiffers = errors.New("the consumer exists with other settings")
	ErrOtherModel      = errors.New("the subject is served by daemons with other weights")
	ErrConsumerGone    = errors.New("the consumer or its stream is gone")
	ErrTooLarge        = errors.New("the message is larger than the server accepts")
	ErrFull            = errors.New("the stream is full")
	ErrNotFound        = errors.New("there is no such message")
)

// Options say which server to use and as whom. Credentials, NKeyFile, Token and
// User exclude each other; secrets never reach errors or logs.
type Options struct {
	URL  string // nats://host:port or tls://…; several are separated by commas
	Name string // shown by the server; "" = textmill

	Credentials string // file of a JWT and its seed
	NKeyFile    string // file of an nkey seed
	Token       string
	User        string
	Password    string

	CAFile   string // PEM; verifies the server instead of the system's roots
	CertFile string // PEM; this client's certificate
	KeyFile  string

	InboxPrefix string // begins the subjects of answers; "" = _INBOX. A user that may listen to its own alone needs one

	AckWait time.Duration // of consumers that are created; 0 = 30 s
	Logger  *slog.Logger  // nil = slog.Default()

	ClaimsMaxBytes int64         // of the stream of claims, when it is created; 0 = 8 GiB
	ClaimsMaxAge   time.Duration // of what it holds; 0 = 7 days
	Replicas       int           // of each stream, when it is created; 0 = 1

	PublishBytes    int // bound of PublishJob's unconfirmed bytes; 0 = 32 MiB
	PublishMessages int // bound of PublishJob's unconfirmed messages; 0 = 256
}

// Queue is a connection to one NATS server or cluster. All its methods may be
// called by several goroutines at once.
type Queue struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	log     *slog.Logger
	ackWait time.Duration
	server  string // for messages, without secrets
	link    link
	pub     publisher

	claimBytes  int64
	claimAge    time.Duration
	replicas    int
	claimsMu    sync.Mutex
	claimsThere bool // the stream of claims

	denied atomic.Int64 // permission errors that the server has reported
	closed chan struct{}
	once   sync.Once
}

const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 5 * time.Second
	askTimeout = 5 * time.Second // of one request to the server
	// makeTimeout is what looking up and making a stream may take: the server writes its files, where disks may be slow.
	makeTimeout = time.Minute

	// A connection that leads nowhere without a word, as behind a firewall that lost its state, is given up after
	// (pingsLost + 1) × pingEvery.
	pingEvery = 1500 * time.Millisecond
	pingsLost = 2
)

// Connect tries until a server answers or ctx ends; the first failure is logged.
// What no retry can mend (a file that cannot be read, refused credentials, a
// certificate that is not trusted) ends it at once. Once connected, the queue
// reconnects for ever.
func Connect(ctx context.Context, o Options) (*Queue, error) {
	q := &Queue{log: o.Logger, ackWait: o.AckWait, claimBytes: o.ClaimsMaxBytes, claimAge: o.ClaimsMaxAge,
		replicas: max(o.Replicas, 1), closed: make(chan struct{})}
	if q.log == nil {
		q.log = slog.Default()
	}
	if q.ackWait <= 0 {
		q.ackWait = 30 * time.Second
	}
	servers, shown, err := parseServers(o.URL)
	if err != nil {
		return nil, err
	}
	q.server = shown
	opts, err := o.natsOptions(q)
	if err != nil {
		return nil, err
	}
	for attempt, closed := 0, 0; ; attempt++ {
		q.link.made()
		q.nc, err = nats.Connect(servers, opts...)
		if err == nil {
			break
		}
		// A server that does not trust our certificate closes the connection
		// without a word, which a server that stops does too, but not three times.
		if errors.Is(err, nats.ErrTLS) {
			closed++
		}
		if err = q.connectError(err); closed == 3 {
			err = fmt.Errorf("%w: %w; see nats.tls", ErrRefused, err)
		}
		if errors.Is(err, ErrRefused) {
			return nil, err
		}
		if attempt == 0 {
			q.log.WarnContext(ctx, "nats is not reachable, trying again", "server", shown, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-time.After(delay(attempt)):
		}
	}
	if q.js, err = jetstream.New(q.nc, jetstream.WithDefaultTimeout(askTimeout)); err != nil {
		q.nc.Close()
		return nil, fmt.Errorf("open JetStream at %s: %w", shown, err)
	}
	q.pub.init(o.PublishBytes, o.PublishMessages)
	return q, nil
}

// connectError says what went wrong without nats.go's text, which may repeat a URL.
func (q *Queue) connectError(err error) error {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		alert     *net.OpError
	)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("connect to %s: %w: the credentials are not accepted; see nats.user, nats.token, nats.nkey_file and nats.credentials_file, and for a daemon's own server nats.embedded.auth", q.server, ErrRefused)
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify),
		errors.As(err, &alert) && alert.Op == "remote error": // what crypto/tls calls an alert of the peer
		return fmt.Errorf("connect to %s: %w: %w; see nats.tls", q.server, ErrRefused, err)
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("connect to %s: %w: %w; does the URL begin with tls:// as the server wants it?", q.server,
			ErrRefused, err)
	}
	return fmt.Errorf("connect to %s: %w", q.server, err)
}

func parseServers(list string) (servers, shown string, err error) {
	var all, safe []string
	for _, s := range strings.Split(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return "", "", errors.New("nats.url is not a URL as in nats://host:4222")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return "", "", fmt.Errorf("nats.url: scheme %q is none of nats, tls, ws and wss", u.Scheme)
		}
		all = append(all, s)
		u.User = nil
		safe = append(safe, u.Scheme+"://"+u.Host)
	}
	if len(all) == 0 {
		return "", "", errors.New("nats.url is empty")
	}
	return strings.Join(all, ","), strings.Join(safe, ","), nil
}

func (o *Options) natsOptions(q *Queue) ([]nats.Option, error) {
	name := o.Name
	if name == "" {
		name = "textmill"
	}
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(askTimeout),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(delay),
		nats.ReconnectBufSize(-1), // what cannot be sent now is an error, not a promise
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(pingsLost),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			q.link.lost()
			if err != nil {
				q.log.Warn("nats connection lost, reconnecting", "server", q.server, "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			q.link.made()
			q.log.Info("nats connection is back", "server", q.server)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				q.denied.Add(1)
			}
			q.log.Warn("nats reports an error", "server", q.server, "error", err)
		}),
	}
	if o.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	auth, err := o.auth()
	if err != nil {
		return nil, err
	}
	secure, err := o.tls()
	if err != nil {
		return nil, err
	}
	return append(append(opts, auth...), secure...), nil
}

// delay grows with the attempts and is never the same for all clients of a
// server that comes back.
func delay(attempt int) time.Duration {
	d := min(firstDelay<<min(attempt, 16), mostDelay)
	return d/2 + rand.N(d/2+1)
}

// Connected reports whether the connection is up now.
func (q *Queue) Connected() bool { return q.nc.IsConnected() }

// Server is the address in use, without secrets.
func (q *Queue) Server() string { return q.server }

// MaxPayload is the most bytes that headers and body of one message may have.
func (q *Queue) MaxPayload() int64 { return q.nc.MaxPayload() }

// Close ends the connection; it is safe to call it twice.
func (q *Queue) Close() {
	q.once.Do(func() {
		close(q.closed)
		q.nc.Close()
	})
}
