// Package losing stands before a server in tests, and loses a request together with its connection.
package losing

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy hands on what clients and server say. Its methods are safe for concurrent use.
type Proxy struct {
	URL string

	mu   sync.Mutex
	text string
	lost bool
}

// Before stands before a nats-server until the test ends.
func Before(t *testing.T, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{URL: "nats://" + l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", strings.TrimPrefix(server, "nats://"))
			if err != nil { // the server has ended
				_ = client.Close()
				continue
			}
			go p.pass(client, to, false)
			go p.pass(to, client, true)
		}
	}()
	return p
}

// Lose has the next request that holds a text be lost, and its connection with it.
func (p *Proxy) Lose(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.lost = text, false
}

// Lost says whether the request has come and is lost.
func (p *Proxy) Lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) loses(said []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text == "" || !bytes.Contains(said, []byte(p.text)) {
		return false
	}
	p.text, p.lost = "", true
	return true
}

func (p *Proxy) pass(to, from net.Conn, requests bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if requests && p.loses(buffer[:n]) {
			return
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}
