package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"textmill/export"
	"textmill/work/answers"
	"textmill/work/rows"
)

// pieces wait for a client. There are no more than its texts may have tokens.
type pieces struct {
	mu   sync.Mutex
	list []rows.Piece
	come chan struct{} // has a value when some are there
}

func (p *pieces) add(piece rows.Piece) {
	p.mu.Lock()
	p.list = append(p.list, piece)
	p.mu.Unlock()
	select {
	case p.come <- struct{}{}:
	default:
	}
}

func (p *pieces) take() []rows.Piece {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

// events writes server-sent events. After the first that the client did not take, none is written.
type events struct {
	w    http.ResponseWriter
	conn *http.ResponseController
	open bool
	err  error
}

func (e *events) send(data any) {
	raw, err := json.Marshal(data)
	if err != nil { // numbers are finite, strings always encode
		panic(err)
	}
	e.raw(string(raw))
}

func (e *events) raw(line string) {
	if e.err != nil {
		return
	}
	if !e.open {
		e.open = true
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // proxies hand each event on
		e.w.WriteHeader(http.StatusOK)
	}
	_ = e.conn.SetWriteDeadline(time.Now().Add(sending))
	_, e.err = e.w.Write([]byte("data: " + line + "\n\n"))
}

func (e *events) flush() {
	if e.open && e.err == nil {
		e.err = e.conn.Flush()
	}
}

// stream answers while the texts are made. What is wrong before the first token is an answer of its own; what goes
// wrong later is an event.
func (c *completing) stream(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		made [][]export.Row
		f    *failure
	}
	come, done := &pieces{come: make(chan struct{}, 1)}, make(chan outcome, 1)
	go func() {
		made, f := c.run(ctx, come.add)
		done <- outcome{made, f}
	}()
	out := &events{w: w, conn: http.NewResponseController(w)}
	texts := make([]sent, len(c.q.Items)*c.n)
	tell := func() {
		for _, p := range come.take() {
			c.tell(out, &p, &texts[c.index(p)])
		}
		if out.flush(); out.err != nil {
			cancel() // nobody reads on
		}
	}
	for {
		select {
		case <-come.come:
			tell()
		case is := <-done:
			if is.f != nil && !out.open {
				is.f.write(w)
				return
			}
			tell()
			c.end(out, is.made, is.f)
			return
		}
	}
}

// sent is how much of a text its client was told.
type sent struct {
	begun  bool
	offset int // in characters
}

// tell writes what a token adds to a text.
func (c *completing) tell(out *events, p *rows.Piece, text *sent) {
	at := c.index(*p)
	if !c.chat {
		told, next := c.textLogprobs([]rows.Piece{*p}, text.offset)
		if text.offset = next; p.Text != "" || told != nil {
			out.send(answers.Completion{Head: c.head, Choices: []answers.TextChoice{{Index: at, Text: p.Text, Logprobs: told}}})
		}
		if p.Finish != "" {
			finish := answers.Finish(p.Finish)
			out.send(answers.Completion{Head: c.head, Choices: []answers.TextChoice{{Index: at, FinishReason: &finish}}})
		}
		return
	}
	send := func(d answers.Delta, told *answers.Logprobs, finish *string) {
		head := c.head
		head.Object = answers.ObjectChunk
		out.send(answers.ChatChunk{Head: head, Choices: []answers.ChunkChoice{{Index: at, Delta: d, Logprobs: told,
			FinishReason: finish}}})
	}
	if !text.begun {
		text.begun = true
		empty := ""
		send(answers.Delta{Role: "assistant", Content: &empty}, nil, nil)
	}
	if told := c.logprobs([]rows.Piece{*p}); p.Text != "" || told != nil {
		send(answers.Delta{Content: &p.Text}, told, nil)
	}
	if p.Finish != "" {
		finish := answers.Finish(p.Finish)
		send(answers.Delta{}, nil, &finish)
	}
}

// end writes what comes behind the last token: what went wrong, or the tokens counted.
func (c *completing) end(out *events, made [][]export.Row, f *failure) {
	switch {
	case f != nil:
		out.send(map[string]*failure{"error": f})
	case c.q.Usage && c.chat:
		usage, head := usageOf(made), c.head
		head.Object = answers.ObjectChunk
		out.send(answers.ChatChunk{Head: head, Choices: []answers.ChunkChoice{}, Usage: &usage})
	case c.q.Usage:
		usage := usageOf(made)
		out.send(answers.Completion{Head: c.head, Choices: []answers.TextChoice{}, Usage: &usage})
	}
	out.raw("[DONE]")
	out.flush()
}
