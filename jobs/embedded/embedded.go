// Package embedded runs a nats-server with JetStream inside the process.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrLocked says that another process serves the store.
var ErrLocked = errors.New("the embedded NATS store is in use")

// Options say where the server listens and keeps its streams.
type Options struct {
	Addr       string // host:port; port 0 lets the kernel choose
	Dir        string // the store; made if absent
	MaxPayload int32  // bytes of one message; 0 = 8 MiB
	MaxStore   int64  // bytes of all streams; 0 = three quarters of what the disk has free
	// clients need the nkey in CredentialFile, which is made if absent; without it, Addr must be loopback
	Credential bool
	// CredentialFile is where the nkey of this store's clients lies, if there is one: its seed, as every NATS client
	// reads it.
	CredentialFile string
	MaxConns       int // clients at a time; 0 = as many as the server's library allows
	Logger         *slog.Logger
}

// Server is a running server. Every message it has acknowledged is on disk.
type Server struct {
	ns   *server.Server
	lock *os.File
	url  string
}

const startTimeout = 30 * time.Second

// Start returns when clients can connect. A store that another process serves is
// ErrLocked; the error says where that server listens.
func Start(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	opts, err := o.serverOptions()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("nats.embedded.dir: %w", err)
	}
	lock, err := lockStore(o.Dir, o.CredentialFile)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock}
	if o.Credential {
		public, err := credential(o.CredentialFile)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		opts.Nkeys = []*server.NkeyUser{{Nkey: public}}
	}
	if err := s.start(opts, o.Logger); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS server at %s: %w", o.Addr, err), s.Close())
	}
	// For whoever meets the lock; the lock itself decides.
	if _, err := s.lock.WriteAt([]byte(s.url+"\n"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS server: write its address: %w", err), s.Close())
	}
	return s, nil
}

func (o *Options) serverOptions() (*server.Options, error) {
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded.addr: %q is not host:port", o.Addr)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("nats.embedded.addr: port %q is not within 0 and 65535", port)
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	if !o.Credential {
		if err := checkOpen(host); err != nil {
			return nil, err
		}
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if o.Dir == "" {
		return nil, errors.New("nats.embedded.dir is empty")
	}
	payload := o.MaxPayload
	if payload <= 0 {
		payload = 8 << 20
	}
	return &server.Options{
		ServerName:        "textmill-embedded",
		Host:              host,
		Port:              n,
		NoSigs:            true, // the process's signals are the daemon's
		JetStream:         true,
		StoreDir:          filepath.Join(o.Dir, "store"),
		SyncAlways:        true, // an acknowledged message survives a power cut
		JetStreamMaxStore: o.MaxStore,
		MaxPayload:        payload,
		MaxConn:           o.MaxConns,
		AlwaysEnableNonce: true, // a client that still has a credential of before gets in
		MaxControlLine:    4096,
	}, nil
}

func (s *Server) start(opts *server.Options, logger *slog.Logger) error {
	ns, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	log := &logTo{log: logger, fatal: make(chan string, 1)}
	ns.SetLoggerV2(log, false, false, false)
	s.ns = ns
	ready := make(chan bool, 1)
	go func() {
		ns.Start()
		ready <- ns.ReadyForConnections(startTimeout)
	}()
	select {
	case msg := <-log.fatal:
		return errors.New(msg)
	case ok := <-ready:
		switch {
		case len(log.fatal) > 0:
			return errors.New(<-log.fatal)
		case !ok:
			return fmt.Errorf("it is not ready within %s", startTimeout)
		case !ns.JetStreamEnabled():
			return errors.New("JetStream did not start")
		}
	}
	s.url = ns.ClientURL()
	return nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.url }

// Close ends the server and then lets go of the store. It is safe to call it twice.
func (s *Server) Close() error {
	if s.ns != nil {
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
		s.ns = nil
	}
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close() // ends the flock
	s.lock = nil
	if err != nil {
		return fmt.Errorf("embedded NATS server: close its lock: %w", err)
	}
	return nil
}

// logTo sends the server's warnings and errors to slog, and a fatal one to its starter.
type logTo struct {
	log   *slog.Logger
	fatal chan string
}

func (l *logTo) Noticef(format string, v ...any) {
	l.log.Debug("nats-server", "msg", fmt.Sprintf(format, v...))
}
func (l *logTo) Warnf(format string, v ...any) {
	l.log.Warn("nats-server", "msg", fmt.Sprintf(format, v...))
}
func (l *logTo) Errorf(format string, v ...any) {
	l.log.Error("nats-server", "msg", fmt.Sprintf(format, v...))
}
func (l *logTo) Debugf(string, ...any) {}
func (l *logTo) Tracef(string, ...any) {}

func (l *logTo) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default: // one is enough to fail
	}
}
