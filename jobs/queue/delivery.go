package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// Delivery is one message that is ours until AckWait after the last InProgress.
// Data may be set to nil to let go of its memory; the delivery can still be acked
// and Payload reads the body again.
type Delivery struct {
	Subject          string
	Task, Model, Job string // of the subject; "" where it is malformed
	Header           jobs.Header
	Data             []byte
	Size             int         // of the payload
	Claim            *jobs.Claim // where the payload lies; nil where Data is it. Data says only whose it is then

	Stream        string
	StreamCreated time.Time
	Sequence      uint64
	Timestamp     time.Time // when the server took the message
	Delivered     int       // 1 at first; a server that is killed may forget some

	Retry  int // 0, or which retry of a dead letter this is
	Origin jobs.Origin

	q     *Queue
	reply string
}

func (c *Consumer) delivery(msg *nats.Msg) (*Delivery, error) {
	a, err := parseAck(msg.Reply)
	if err != nil {
		return nil, err
	}
	d := &Delivery{
		Subject: msg.Subject, Header: jobs.Header(msg.Header), Data: msg.Data, Size: len(msg.Data),
		Stream: JobStream, StreamCreated: c.created,
		Sequence: a.sequence, Timestamp: a.timestamp, Delivered: a.delivered,
		q: c.q, reply: msg.Reply,
	}
	if s, err := jobs.ParseSubject(msg.Subject); err == nil {
		d.Task, d.Model, d.Job = s.Task, s.Model, s.Job
	}
	if c, err := d.Header.Claim(); err == nil && c != nil && d.Job != "" { // else it is a dead letter
		d.Claim, d.Size = c, int(c.Size)
	}
	d.Retry, d.Origin = d.Header.Retry()
	return d, nil
}

// Message is what jobs.Decode reads.
func (d *Delivery) Message() jobs.Message {
	return jobs.Message{Subject: d.Subject, Header: d.Header, Data: d.Data, Sequence: d.Sequence}
}

// Payload is the body, read from the stream again if Data was let go.
func (d *Delivery) Payload(ctx context.Context) ([]byte, error) {
	if d.Data != nil {
		return d.Data, nil
	}
	s, err := d.q.js.Stream(ctx, d.Stream)
	if err != nil {
		return nil, fmt.Errorf("read message %d of %s again: %w", d.Sequence, d.Stream, lost(err))
	}
	m, err := s.GetMsg(ctx, d.Sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, fmt.Errorf("read message %d of %s again: %w", d.Sequence, d.Stream, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read message %d of %s again: %w", d.Sequence, d.Stream, lost(err))
	case !m.Time.Equal(d.Timestamp) || m.Subject != d.Subject:
		return nil, fmt.Errorf("read message %d of %s again: another message has its place: %w", d.Sequence, d.Stream,
			ErrNotFound)
	}
	return m.Data, nil
}

// InProgress starts AckWait anew. It is not confirmed; an error says that it was
// not sent.
func (d *Delivery) InProgress() error { return d.tell("+WPI") }

// Nak gives the message back, to be delivered again after delay.
func (d *Delivery) Nak(delay time.Duration) error {
	if delay <= 0 {
		return d.tell("-NAK")
	}
	return d.tell(`-NAK {"delay": ` + strconv.FormatInt(int64(delay), 10) + `}`)
}

// Ack returns when the server has confirmed that the message is done with.
func (d *Delivery) Ack(ctx context.Context) error { return d.ask(ctx, "+ACK") }

// Term returns when the server has confirmed that the message is never to be
// delivered again.
func (d *Delivery) Term(ctx context.Context, reason string) error {
	return d.ask(ctx, "+TERM "+oneLine(reason, 200))
}

func (d *Delivery) tell(word string) error {
	if !d.q.nc.IsConnected() {
		return fmt.Errorf("%.4s message %d: %w", word, d.Sequence, ErrDisconnected)
	}
	if err := d.q.nc.Publish(d.reply, []byte(word)); err != nil {
		return fmt.Errorf("%.4s message %d: %w", word, d.Sequence, lost(err))
	}
	return nil
}

// ask repeats an ack, which is idempotent, until it is confirmed; a connection
// that is down is an error at once.
func (d *Delivery) ask(ctx context.Context, word string) error {
	bound, free := d.q.link.bind(ctx)
	defer free()
	ctx, cancel := context.WithTimeout(bound, 2*askTimeout)
	defer cancel()
	for {
		one, end := context.WithTimeout(ctx, askTimeout/2)
		_, err := d.q.nc.RequestWithContext(one, d.reply, []byte(word))
		end()
		if err == nil {
			return nil
		}
		err = reason(bound, err)
		if errors.Is(err, nats.ErrNoResponders) {
			return fmt.Errorf("%.5s message %d: %w", word, d.Sequence, ErrConsumerGone)
		}
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return fmt.Errorf("%.5s message %d: %w", word, d.Sequence, lost(err))
		}
	}
}

// oneLine makes s fit a header: one line of at most n bytes.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "…"
	}
	return s
}
