package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve runs a server until the test ends, and gives what connects to it.
func serve(t *testing.T, server *http.Server) (dial func() net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// Whoever comes last is answered, whatever number of others keep connections open and ask for nothing.
func TestIdleClientsMakeRoom(t *testing.T) {
	clients := newConnections(8, usualPatience)
	busy, release := make(chan struct{}, 8), make(chan struct{})
	server := clients.server(clients.answering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			busy <- struct{}{}
			<-release
		}
		_, _ = w.Write([]byte("here"))
	})))
	dial := serve(t, server)
	ask := func(path string) (net.Conn, error) {
		conn := dial()
		_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		return conn, err
	}
	for n := range 100 { // some ask for nothing, others without an end
		if conn := dial(); n%2 == 0 {
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHo"); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn, err := ask("/")
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(answer, "200") {
		t.Errorf("the hundred and first client: %q, %v", answer, err)
	}
	for range 8 {
		if _, err := ask("/slow"); err != nil {
			t.Fatal(err)
		}
		<-busy
	}
	conn, _ = ask("/") // whoever is turned away may not get to ask
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
		t.Errorf("a ninth client while eight are answered: %q", answer)
	}
	clients.mu.Lock()
	open := len(clients.open)
	clients.mu.Unlock()
	if open != 8 {
		t.Errorf("%d connections are open, want 8", open)
	}
	close(release)
}

// A server hangs up on each kind of client that takes too long, by the one limit that is for it.
func TestNobodyIsWaitedForWithoutEnd(t *testing.T) {
	const long, short = time.Hour, 50 * time.Millisecond
	for _, c := range []struct {
		name  string
		limit func(*patience) *time.Duration
		asks  string
		reads bool // the answer, at once
	}{
		{"a header that does not end", func(p *patience) *time.Duration { return &p.header }, "GET / HTTP/1.1\r\nHo", true},
		{"a body that does not end", func(p *patience) *time.Duration { return &p.request },
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.", true},
		{"an answer that is not read", func(p *patience) *time.Duration { return &p.answer },
			"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"a second request that does not come", func(p *patience) *time.Duration { return &p.idle },
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := patience{long, long, long, long}
			*c.limit(&p) = short
			given := make(chan error, 1)
			dial := serve(t, newConnections(8, p).server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, err := w.Write([]byte("here"))
				for r.URL.Path == "/long" && err == nil {
					_, err = w.Write(make([]byte, 1<<20))
				}
				given <- err
			})))
			conn := dial()
			if _, err := io.WriteString(conn, c.asks); err != nil {
				t.Fatal(err)
			}
			if !c.reads {
				if err := <-given; err == nil {
					t.Error("all of an endless answer was taken")
				}
			}
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			_, err := io.Copy(io.Discard, conn)
			if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
				t.Error("it is waited for")
			}
		})
	}
}
