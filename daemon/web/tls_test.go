package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/daemon/api"
	"textmill/daemon/metrics"
	"textmill/daemon/page"
	"textmill/daemon/session"
	"textmill/internal/authority"
)

// client trusts an authority, and shows a certificate where it has one.
func client(t *testing.T, trusts *authority.Authority, cert, key []byte) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(trusts.PEM)
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// secured is a server with these files, and its log.
func secured(t *testing.T, files TLSFiles, token string) (*Server, *logged) {
	t.Helper()
	return listening(t, "127.0.0.1:0", files, token)
}

// listening is one at an address.
func listening(t *testing.T, addr string, files TLSFiles, token string) (*Server, *logged) {
	t.Helper()
	log := &logged{}
	sessions, logger := session.New(token), slog.New(slog.NewTextHandler(log, nil))
	s, err := Listen(t.Context(), Options{Addr: addr, TLS: files, Sessions: sessions, Connections: 8,
		Metrics: metrics.New("test").Handler(), State: func() State { return State{} }, API: api.New(api.Options{}),
		Pages: page.New(page.Options{Sessions: sessions, Work: idle{}, Log: logger}), Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, log
}

// idle is a daemon that does nothing.
type idle struct{}

func (idle) Now() page.Now { return page.Now{} }

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func fetch(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer, errors.Join(err, answer.Body.Close())
}

func TestClientsShowTheirCertificates(t *testing.T) {
	ours, another, dir := authority.New(t), authority.New(t), t.TempDir()
	files := TLSFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")}
	cert, key := ours.Sign("mill", nil)
	write(t, files.Cert, cert)
	write(t, files.Key, key)
	write(t, files.ClientCA, ours.PEM)
	s, _ := secured(t, files, "")
	mine, mineKey := ours.Sign("me", nil)
	theirs, theirKey := another.Sign("me", nil)
	over, overKey := ours.Sign("me", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	for _, tc := range []struct {
		name   string
		client *http.Client
		let    bool
	}{
		{"with a certificate of the authority", client(t, ours, mine, mineKey), true},
		{"without one", client(t, ours, nil, nil), false},
		{"with another authority's", client(t, ours, theirs, theirKey), false},
		{"with one that is over", client(t, ours, over, overKey), false},
		{"who does not trust ours", client(t, another, mine, mineKey), false},
	} {
		for _, path := range []string{"/healthz", "/metrics", "/", "/v1/models", "/login"} {
			//nolint:bodyclose // fetch closes it
			answer, err := fetch(t.Context(), tc.client, s.URL()+path)
			if (err == nil) != tc.let || err == nil && answer.StatusCode != http.StatusOK {
				t.Errorf("%s, %s: %v, %v", tc.name, path, answer, err)
			}
		}
	}
	//nolint:bodyclose // fetch closes it
	if answer, err := fetch(t.Context(), http.DefaultClient, "http://"+s.Addr()+"/healthz"); err == nil && answer.StatusCode == http.StatusOK {
		t.Error("it answers in the clear too")
	}
	old := client(t, ours, mine, mineKey)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	//nolint:bodyclose // fetch closes it
	if _, err := fetch(t.Context(), old, s.URL()+"/healthz"); err == nil {
		t.Error("it speaks TLS 1.1")
	}
}

func TestRenewedCertificateIsShown(t *testing.T) {
	ours, dir := authority.New(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	at := time.Now()
	renew := func(cert, key []byte) {
		t.Helper()
		write(t, files.Cert, cert)
		write(t, files.Key, key)
		at = at.Add(time.Second) // a clock of files may be coarse
		if err := os.Chtimes(files.Cert, at, at); err != nil {
			t.Fatal(err)
		}
	}
	renew(ours.Sign("the first", nil))
	s, log := secured(t, files, "secret")
	c := client(t, ours, nil, nil)
	shown := func() string {
		t.Helper()
		//nolint:bodyclose // fetch closes it
		answer, err := fetch(t.Context(), c, s.URL()+"/")
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("over TLS the token is not asked for: %d", answer.StatusCode)
		}
		return answer.TLS.PeerCertificates[0].Subject.CommonName
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s\n%s", what, log)
			}
		}
	}
	if got := shown(); got != "the first" {
		t.Fatalf("%q is shown", got)
	}
	renew(ours.Sign("the second", nil))
	until("the renewed certificate is not shown", func() bool { return shown() == "the second" })
	renew([]byte("half of a file"), []byte("half of a file"))
	until("nothing says that a certificate cannot be used", func() bool {
		return shown() == "the second" && strings.Contains(log.String(), "the one before is shown")
	})
	renew(ours.Sign("the third", nil))
	until("a certificate that was mended is not shown", func() bool { return shown() == "the third" })
}

func TestFilesThatCannotBeServedWith(t *testing.T) {
	ours, dir := authority.New(t), t.TempDir()
	cert, key := ours.Sign("mill", nil)
	_, other := ours.Sign("mill", nil)
	for name, content := range map[string][]byte{"cert": cert, "key": key, "other": other, "none": []byte("none")} {
		write(t, filepath.Join(dir, name), content)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, tc := range []struct {
		files TLSFiles
		want  string
	}{
		{TLSFiles{Cert: at("cert")}, "cert_file and key_file go together"},
		{TLSFiles{Cert: at("cert"), Key: at("other")}, "http.tls.key_file"},
		{TLSFiles{Cert: at("none"), Key: at("key")}, "http.tls.cert_file"},
		{TLSFiles{Cert: at("cert"), Key: at("key"), ClientCA: at("none")}, "http.tls.client_ca_file"},
		{TLSFiles{Cert: at("absent"), Key: at("key")}, "absent"},
	} {
		if _, err := Listen(t.Context(), Options{Addr: "127.0.0.1:0", TLS: tc.files}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.files, err, tc.want)
		}
	}
}
