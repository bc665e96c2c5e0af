// Package s3 runs a real S3 server for tests, behind a proxy that breaks what passes through it.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Name is the bucket that every server has, Region where it claims to be.
const (
	Name   = "tables"
	Region = "us-east-1"
	user   = "textmill"
	secret = "textmill-secret"
)

// Server is an S3 server at URL.
type Server struct {
	URL string

	dir     string
	cmd     *exec.Cmd
	exited  chan struct{}
	front   *http.Server
	back    *httputil.ReverseProxy
	mu      sync.Mutex
	decide  map[string]func(*http.Request) Action // by the prefix that it is for
	held    map[string][]*http.Request
	stalled map[string]chan struct{} // closed by Resume
	counted map[Action]int
}

// Start runs binary on a directory of its own.
func Start(binary string) (_ *Server, err error) {
	s := &Server{
		exited: make(chan struct{}), counted: map[Action]int{}, decide: map[string]func(*http.Request) Action{},
		held: map[string][]*http.Request{}, stalled: map[string]chan struct{}{},
	}
	if s.dir, err = os.MkdirTemp("", "s3-"); err != nil { // a socket's path is short
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	root, side, socket := filepath.Join(s.dir, "root"), filepath.Join(s.dir, "meta"), filepath.Join(s.dir, "s")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, Name), 0o755), os.Mkdir(side, 0o755)); err != nil {
		return nil, err
	}
	var said bytes.Buffer
	s.cmd = exec.Command(binary, "--quiet", "--port", socket, "--region", Region, "posix", "--sidecar", side, root)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+user, "ROOT_SECRET_KEY="+secret)
	s.cmd.Stdout, s.cmd.Stderr = &said, &said
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // it is killed
		close(s.exited)
	}()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	if err := s.await(dial); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, said.Bytes())
	}
	s.back = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host // which the signature covers
			r.Out.Host = r.In.Host
		},
		Transport:    &http.Transport{DialContext: dial, DisableCompression: true},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + l.Addr().String()
	s.front = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.front.Serve(l) }() // until Close
	return s, nil
}

// await returns when the server accepts connections.
func (s *Server) await(dial func(context.Context, string, string) (net.Conn, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for tick := time.Tick(5 * time.Millisecond); ; {
		if c, err := dial(ctx, "", ""); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return errors.New("the S3 server does not listen")
		case <-s.exited:
			return errors.New("the S3 server ended")
		case <-tick:
		}
	}
}

// Env is what a program needs to reach the server.
func (s *Server) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + user, "AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_ALLOW_HTTP=true", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Objects is where the server keeps the bucket's objects, as files.
func (s *Server) Objects() string { return filepath.Join(s.dir, "root", Name) }

// Lose removes an object, or all below a prefix, as if it had never been put.
func (s *Server) Lose(key string) error {
	return errors.Join(os.RemoveAll(filepath.Join(s.Objects(), key)),
		os.RemoveAll(filepath.Join(s.dir, "meta", Name, key)))
}

// Close ends the server and removes what it held.
func (s *Server) Close() error {
	var err error
	if s.front != nil {
		err = s.front.Close()
	}
	if s.cmd != nil {
		err = errors.Join(err, s.cmd.Process.Kill())
		<-s.exited
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Binary is $TEXTMILL_TEST_S3 or the server that make built beside the go.mod in dir or above it.
func Binary(dir string) (string, error) {
	if p := os.Getenv("TEXTMILL_TEST_S3"); p != "" {
		return p, nil
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		p := filepath.Join(dir, ".cache", "bin", "versitygw")
		if _, err := os.Stat(p); err != nil {
			return "", errors.New("no S3 server for the tests: run make test")
		}
		return p, nil
	}
	return "", errors.New("no go.mod in the working directory or above it")
}

// ForTest runs a server as long as a test, whose environment it enters.
func ForTest(t *testing.T) *Server {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := Binary(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, v := range s.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return s
}
