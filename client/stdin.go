package client

import (
	"context"
	"io"
)

// interruptible reads from r until ctx ends, even while a read blocks, whose answer is lost then.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	if r == nil {
		return nil
	}
	return &pump{from: r, chunks: make(chan chunk), done: ctx.Done(), why: func() error { return context.Cause(ctx) }}
}

type pump struct {
	from   io.Reader
	begun  bool
	chunks chan chunk
	rest   chunk
	done   <-chan struct{}
	why    func() error
}

type chunk struct {
	data []byte
	err  error
}

func (p *pump) run() {
	for {
		buffer := make([]byte, 64<<10)
		n, err := p.from.Read(buffer)
		select {
		case p.chunks <- chunk{buffer[:n], err}:
		case <-p.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *pump) Read(to []byte) (int, error) {
	if !p.begun {
		p.begun = true
		go p.run()
	}
	for len(p.rest.data) == 0 {
		if p.rest.err != nil {
			return 0, p.rest.err
		}
		select {
		case p.rest = <-p.chunks:
		case <-p.done:
			return 0, p.why()
		}
	}
	n := copy(to, p.rest.data)
	p.rest.data = p.rest.data[n:]
	return n, nil
}
