package queue

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// askSubjects are asked, outside of all streams, for what one model makes of one request: textmill.ask.<task>.<model>.
const askSubjects = "textmill.ask."

// An Ask is a request to a model by its subject.
type Ask struct {
	Task, Model string
	Text        bool // the payload is a text, not JSON
	Data        []byte
}

// An AskAnswer is what becomes of it: a payload with headers, or a code and what is wrong.
type AskAnswer struct {
	Data   []byte
	Header map[string]string
	Code   int // as HTTP has it; 0 where nothing is wrong
	Reason string
}

// AskOptions are what is asked for, and who answers.
type AskOptions struct {
	Version string // of the program
	Models  []Served
	// Answer is called for so many requests at a time; more are refused.
	Answer func(context.Context, Ask) AskAnswer
	AtOnce int
}

// Asks answers requests until it is stopped. The daemons that serve a model share its requests.
type Asks struct {
	q       *Queue
	o       AskOptions
	service micro.Service
	room    chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex
	stats map[string]*askStats // by endpoint
}

// askStats are what the micro API tells of an endpoint, beside what it counts itself.
type askStats struct {
	Answered int   `json:"answered"`
	Refused  int   `json:"refused"`
	TookMS   int64 `json:"took_ms"` // all answers together
}

var semantic = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// ServeAsks makes a service of NATS's micro API, which others find under the name textmill by $SRV.PING, INFO and
// STATS.
func (q *Queue) ServeAsks(ctx context.Context, o AskOptions) (_ *Asks, err error) {
	a := &Asks{q: q, o: o, room: make(chan struct{}, o.AtOnce), stats: map[string]*askStats{}}
	version := o.Version
	if !semantic.MatchString(version) { // the API takes no other
		version = "0.0.0"
	}
	a.service, err = micro.AddService(q.nc, micro.Config{Name: "textmill", Version: version, QueueGroup: "textmill",
		Description: "vectors and texts of the models that a daemon serves", Metadata: map[string]string{"version": o.Version},
		StatsHandler: a.tell, ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			q.log.WarnContext(ctx, "requests to models by NATS are disturbed", "error", err)
		}})
	if err != nil {
		return nil, fmt.Errorf("answer requests to models: %w", lost(err))
	}
	for _, m := range o.Models {
		name := m.Task + "-" + m.Model
		a.stats[name] = &askStats{}
		err := a.service.AddEndpoint(name, a.handler(ctx, name, m), micro.WithEndpointSubject(askSubjects+m.Task+"."+m.Model),
			micro.WithEndpointMetadata(map[string]string{"task": m.Task, "model": m.Model, "model_sha256": m.ModelSHA256}))
		if err != nil {
			_ = a.service.Stop()
			return nil, fmt.Errorf("answer requests to model %s: %w", m.Model, lost(err))
		}
	}
	return a, nil
}

// Stop takes no more requests, and waits for those under way to be answered or for ctx.
func (a *Asks) Stop(ctx context.Context) error {
	if err := a.service.Stop(); err != nil {
		return fmt.Errorf("answer no more requests to models: %w", lost(err))
	}
	done := make(chan struct{})
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Asks) handler(ctx context.Context, name string, m Served) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		reply := r.Reply()
		if !isInbox(reply) {
			return
		}
		select {
		case a.room <- struct{}{}:
		default:
			a.respond(ctx, name, reply, 0, AskAnswer{Code: 429, Reason: "too many requests are being answered; try again soon"})
			return
		}
		begun := time.Now()
		a.running.Go(func() {
			defer func() { <-a.room }()
			text := nats.Header(r.Headers()).Get("Content-Type") == "text/plain" || !meansJSON(r.Data())
			answer := a.o.Answer(ctx, Ask{Task: m.Task, Model: m.Model, Text: text, Data: r.Data()})
			a.respond(ctx, name, reply, time.Since(begun), answer)
		})
	})
}

// meansJSON tells what is to be an object, be it a good one or not, from a text.
func meansJSON(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

// respond answers past the service, which counts only what its handlers do before they return.
func (a *Asks) respond(ctx context.Context, name, reply string, took time.Duration, answer AskAnswer) {
	msg := &nats.Msg{Subject: reply, Data: answer.Data, Header: nats.Header{}}
	for key, value := range answer.Header {
		msg.Header.Set(key, value)
	}
	if most := a.q.nc.MaxPayload() - headerRoom; answer.Code == 0 && int64(len(answer.Data)) > most {
		answer = AskAnswer{Code: 413, Reason: fmt.Sprintf(
			"the answer is longer than the server's max_payload (%d bytes); ask for less at a time, or by HTTP", a.q.nc.MaxPayload())}
	}
	if answer.Code != 0 {
		msg.Data, msg.Header = nil, nats.Header{}
		msg.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(answer.Code))
		msg.Header.Set(micro.ErrorHeader, oneLine(answer.Reason, 500))
	}
	a.mu.Lock()
	s := a.stats[name]
	s.TookMS += took.Milliseconds()
	if answer.Code == 0 {
		s.Answered++
	} else {
		s.Refused++
	}
	a.mu.Unlock()
	if err := a.q.nc.PublishMsg(msg); err != nil {
		a.q.log.WarnContext(ctx, "a request to a model could not be answered", "endpoint", name, "error", err)
	}
}

// headerRoom is left for the headers of an answer.
const headerRoom = 1 << 10

func (a *Asks) tell(e *micro.Endpoint) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.stats[e.Name]; s != nil {
		return *s
	}
	return askStats{}
}
