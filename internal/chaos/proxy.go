package chaos

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// weather is what a proxy does to what passes.
type weather int

const (
	fair      weather = iota
	refusing          // new connections are closed at once
	slow              // each burst waits
	lossy             // some messages are lost
	repeating         // some messages come twice
	stalled           // nothing passes, nothing is closed
)

// proxy stands between a NATS client and its server, on loopback. It knows where messages begin and end, so that it
// loses or repeats whole ones: the bytes of a connection are TCP's promise, the messages are nobody's.
type proxy struct {
	listener net.Listener

	mu      sync.Mutex
	target  string
	weather weather
	delay   time.Duration
	changed chan struct{} // closed and replaced with the weather
	random  *rand.Rand
	links   map[*link]struct{}
}

// link is one connection through the proxy.
type link struct {
	client, server *net.TCPConn
	forgotten      atomic.Bool // nothing passes any more, and nobody is told, not even of the end
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func newProxy(random *rand.Rand) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, random: random, links: map[*link]struct{}{}, changed: make(chan struct{})}
	go p.serve()
	return p, nil
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) close() {
	_ = p.listener.Close()
	p.set(refusing, 0)
	p.cut()
}

// lead says where the server is now.
func (p *proxy) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) set(w weather, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather, p.delay = w, delay
	close(p.changed)
	p.changed = make(chan struct{})
}

// cut ends every connection.
func (p *proxy) cut() {
	for _, l := range p.all() {
		l.close()
	}
}

// halfClose ends one direction of every connection.
func (p *proxy) halfClose() {
	for _, l := range p.all() {
		if p.roll() < 0.5 {
			_ = l.client.CloseWrite()
		} else {
			_ = l.server.CloseWrite()
		}
	}
}

// forget has every connection lead nowhere from now on, as a firewall does that lost its state. New ones are well.
func (p *proxy) forget() {
	for _, l := range p.all() {
		l.forgotten.Store(true)
	}
}

func (p *proxy) all() (links []*link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

func (p *proxy) roll() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.Float64()
}

func (p *proxy) now() (weather, time.Duration, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.delay, p.changed
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		go p.connect(c.(*net.TCPConn))
	}
}

func (p *proxy) connect(client *net.TCPConn) {
	p.mu.Lock()
	target, refuse := p.target, p.weather == refusing
	p.mu.Unlock()
	if refuse || target == "" {
		_ = client.Close()
		return
	}
	server, err := net.DialTimeout("tcp", target, time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server.(*net.TCPConn)}
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(l, l.client, l.server) })
	both.Go(func() { p.pass(l, l.server, l.client) })
	both.Wait()
	l.close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pass moves frames one way until either side ends.
func (p *proxy) pass(l *link, from, to *net.TCPConn) {
	defer func() {
		_ = from.Close()
		if !l.forgotten.Load() {
			_ = to.Close()
		}
	}()
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		frame, message, err := readFrame(in)
		if err != nil {
			return
		}
		copies := 1
		switch w, delay, changed := p.now(); {
		case l.forgotten.Load():
			copies = 0
		case w == slow && in.Buffered() == 0:
			select {
			case <-time.After(delay):
			case <-changed:
			}
		case w == stalled:
			for w == stalled {
				<-changed
				w, _, changed = p.now()
			}
		case w == lossy && message && p.roll() < 0.15:
			copies = 0
		case w == repeating && message && p.roll() < 0.3:
			copies = 2
		}
		for range copies {
			if _, err := to.Write(frame); err != nil {
				return
			}
		}
	}
}

// readFrame reads a line of the NATS protocol and the payload that it announces.
func readFrame(in *bufio.Reader) (frame []byte, message bool, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, false, err
	}
	words := strings.Fields(string(line))
	if len(words) < 3 {
		return line, false, nil
	}
	switch words[0] {
	case "PUB", "HPUB", "MSG", "HMSG":
	default:
		return line, false, nil
	}
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil || n < 0 || n > 64<<20 {
		return nil, false, errors.New("not a frame of NATS")
	}
	frame = make([]byte, len(line)+n+2)
	copy(frame, line)
	_, err = io.ReadFull(in, frame[len(line):])
	return frame, true, err
}
