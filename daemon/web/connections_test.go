package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Whoever comes last is answered, whatever number of others keep connections open and ask for nothing.
func TestIdleClientsMakeRoom(t *testing.T) {
	clients := newConnections(8)
	busy, release := make(chan struct{}, 8), make(chan struct{})
	server := clients.server(clients.answering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			busy <- struct{}{}
			<-release
		}
		_, _ = w.Write([]byte("here"))
	})))
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
	dial := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
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
