package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"textmill/ground/regular"
)

// TLSFiles are those that the pages are served with; all are "" where they are served in the clear.
type TLSFiles struct {
	Cert, Key string
	// ClientCA is the authority whose certificates clients must show; "" asks for none.
	ClientCA string
}

// certificates are read again when their files are others, so that a renewed one needs no restart. Ones that cannot be
// used are reported, and those before them stay.
type certificates struct {
	files TLSFiles
	log   *slog.Logger

	mu     sync.Mutex
	config *tls.Config
	read   [3]version
	looked time.Time
}

// version tells a file from what lies in its place later.
type version struct {
	size     int64
	modified time.Time
}

// lookEvery is how long a look at the files holds.
const lookEvery = time.Second

// newCertificates is nil where there are none.
func newCertificates(files TLSFiles, log *slog.Logger) (*certificates, error) {
	if files == (TLSFiles{}) {
		return nil, nil
	}
	c := &certificates{files: files, log: log, read: files.versions(), looked: time.Now()}
	var err error
	c.config, err = files.load()
	return c, err
}

// server is what a server needs; each client gets what the files hold when it comes.
func (c *certificates) server() *tls.Config {
	shows := func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return c.current(hello.Context()), nil }
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: shows}
}

func (c *certificates) current(ctx context.Context) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.config
	}
	c.looked = time.Now()
	now := c.files.versions()
	if now == c.read {
		return c.config
	}
	c.read = now
	fresh, err := c.files.load()
	if err != nil {
		c.log.ErrorContext(ctx, "the certificate cannot be read anew, the one before is shown", "error", err)
		return c.config
	}
	c.config = fresh
	c.log.InfoContext(ctx, "certificate read anew", "file", c.files.Cert)
	return c.config
}

func (f TLSFiles) versions() (all [3]version) {
	for i, path := range []string{f.Cert, f.Key, f.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			all[i] = version{info.Size(), info.ModTime()}
		}
	}
	return all
}

func (f TLSFiles) load() (*tls.Config, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("http.tls: cert_file and key_file go together")
	}
	cert, err := regular.ReadFile(f.Cert)
	if err != nil {
		return nil, fmt.Errorf("http.tls.cert_file: %w", err)
	}
	key, err := regular.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("http.tls.key_file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("http.tls.cert_file %s with http.tls.key_file %s: %w", f.Cert, f.Key, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if f.ClientCA == "" {
		return c, nil
	}
	ca, err := regular.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("http.tls.client_ca_file: %w", err)
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("http.tls.client_ca_file: %s holds no PEM certificate", f.ClientCA)
	}
	return c, nil
}
