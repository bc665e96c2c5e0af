package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// DeadLetter is a message that no retry by itself can help.
type DeadLetter struct {
	Delivery    *Delivery // its subject's task and model, its headers and its place in the stream
	Payload     []byte    // as it came; nil: it lies in a claim that cannot be redeemed, and the letter keeps the claim
	Key         string    // the delivery's identity: one key has one letter
	Class       string
	Reason      string
	ModelSHA256 string
}

const (
	reasonBytes = 1 << 10
	headerBytes = 60 << 10 // of a letter; JetStream refuses what comes to 64 KiB
	marginBytes = 64
)

// PublishDead returns when the letter is in the stream. A key that has a letter
// keeps that one. A payload that does not fit the server's limit with the letter's
// headers is kept in several messages.
func (q *Queue) PublishDead(ctx context.Context, l DeadLetter) error {
	task, model := l.Delivery.Task, l.Delivery.Model
	if task == "" || model == "" {
		return fmt.Errorf("dead letter of message %d: subject %q names no task and model", l.Delivery.Sequence,
			l.Delivery.Subject)
	}
	msg := nats.NewMsg(jobs.DeadSubject(task, model, l.Key))
	msg.Header, msg.Data = l.header(), l.Payload
	if l.Payload == nil {
		stub, err := l.Delivery.Payload(ctx)
		if err != nil {
			return err
		}
		msg.Data = stub
	}
	room := max(int(q.nc.MaxPayload())-headerSize(msg.Header)-2*marginBytes, 0)
	if len(msg.Data) > room+marginBytes {
		if err := q.publishTails(ctx, msg, msg.Data[room:]); err != nil {
			return err
		}
		msg.Data = msg.Data[:room]
	}
	return q.publishOnce(ctx, msg)
}

// publishOnce publishes to a subject that holds nothing yet.
func (q *Queue) publishOnce(ctx context.Context, msg *nats.Msg) error {
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
	err := q.publish(ctx, msg, failWhenFull)
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			return nil
		}
	}
	return err
}

// header keeps what the message itself carried, for a retry, and says what
// became of it.
func (l *DeadLetter) header() nats.Header {
	d := l.Delivery
	says := jobs.Letter{
		Class: oneLine(l.Class, 64), Reason: oneLine(l.Reason, reasonBytes), Attempts: d.Delivered, Subject: d.Subject,
		ModelSHA256: l.ModelSHA256, Origin: d.Origin, MsgID: d.Header.Get(jobs.HeaderOriginalMsgID), Retry: d.Retry,
	}
	if d.Retry == 0 {
		says.Origin = jobs.Origin{StreamCreated: d.StreamCreated, Sequence: d.Sequence, Timestamp: d.Timestamp}
		says.MsgID = d.Header.Get(jobs.HeaderMsgID)
	}
	h := d.Header.Own()
	if l.Payload != nil {
		h = h.Unclaimed()
	}
	says.Set(h)
	return cutHeader(nats.Header(h))
}

// cutHeader makes room for what a letter says beside a message's own headers, which may be as many bytes as the server
// takes: long values are cut, which leaves a name that is too long one, and where that is not enough headers go, last
// those that textmill reads.
func cutHeader(h nats.Header) nats.Header {
	if headerSize(h) <= headerBytes {
		return h
	}
	cut, names := make(nats.Header, len(h)), []string(nil)
	for name, values := range h {
		v := values[0]
		if len(v) > reasonBytes {
			v = strings.ToValidUTF8(v[:reasonBytes], "")
		}
		cut[name] = []string{v}
		if !jobs.OfLetter(name) {
			names = append(names, name)
		}
	}
	read := []string{jobs.HeaderClaim, jobs.HeaderClaimSize, jobs.HeaderClaimChunks, jobs.HeaderClaimSHA256,
		jobs.HeaderContentType, jobs.HeaderJob, jobs.HeaderDataset}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(slices.Index(read, a)-slices.Index(read, b), strings.Compare(a, b))
	})
	for _, name := range names {
		if headerSize(cut) <= headerBytes {
			break
		}
		delete(cut, name)
	}
	return cut
}

// DeadEntry is a dead letter as it lies in the stream.
type DeadEntry struct {
	ID          string // the hash of the delivery's identity
	Task, Model string
	Class       string
	Reason      string
	Attempts    int
	Subject     string // where the message was published
	Sequence    uint64 // where the message was in the job stream at first
	ModelSHA256 string
	Retry       int // 0, or which retry it was
	Time        time.Time
	Header      jobs.Header
	Size        int    // of the payload
	Payload     []byte // nil in lists

	sequence uint64 // in the stream of dead letters
	tail     int    // bytes
	tails    int    // messages that hold them
}

func deadEntry(subject string, h jobs.Header, size int, sequence uint64, at time.Time) (DeadEntry, bool) {
	task, model, hash, ok := jobs.ParseDeadSubject(subject)
	if !ok {
		return DeadEntry{}, false
	}
	l := h.Letter()
	tails := 0
	if l.Tail > 0 {
		tails = min(max(l.Tails, 1), mostTails)
	}
	return DeadEntry{
		ID: hash, Task: task, Model: model, Header: h, Class: l.Class, Reason: l.Reason, Attempts: l.Attempts,
		Subject: l.Subject, Sequence: l.Origin.Sequence, ModelSHA256: l.ModelSHA256, Retry: l.Retry, Time: at.UTC(),
		Size: size + l.Tail, sequence: sequence, tail: l.Tail, tails: tails,
	}, true
}

// GetDead reads one dead letter with its payload. An unknown id is ErrNotFound.
func (q *Queue) GetDead(ctx context.Context, id string) (DeadEntry, error) {
	if id == "" || strings.Trim(id, "0123456789abcdef") != "" {
		return DeadEntry{}, fmt.Errorf("dead letter %q: %w", id, ErrNotFound)
	}
	s, err := q.js.Stream(ctx, DeadStream)
	if err != nil {
		return DeadEntry{}, q.streamError("look up", DeadStream, err)
	}
	m, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(jobs.DeadSubjectOf("*", "*", id)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadEntry{}, fmt.Errorf("dead letter %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return DeadEntry{}, fmt.Errorf("dead letter %s: %w", id, lost(err))
	}
	e, ok := deadEntry(m.Subject, jobs.Header(m.Header), len(m.Data), m.Sequence, m.Time)
	if !ok {
		return DeadEntry{}, fmt.Errorf("dead letter %s: %w", id, ErrNotFound)
	}
	e.Payload = m.Data
	rest, err := q.tails(ctx, s, e)
	if err != nil {
		return DeadEntry{}, err
	}
	e.Payload = append(e.Payload, rest...)
	return e, nil
}

// RetryDead publishes a dead letter's payload on its first subject again, as it
// came, and removes the letter. The retry's number makes it another delivery, and
// the same one if RetryDead is repeated after a crash.
func (q *Queue) RetryDead(ctx context.Context, id string) (DeadEntry, error) {
	e, err := q.GetDead(ctx, id)
	if err != nil {
		return e, err
	}
	subject, err := jobs.ParseSubject(e.Subject)
	if err != nil {
		return e, fmt.Errorf("retry dead letter %s: %w", id, err)
	}
	msg := nats.NewMsg(subject.String())
	msg.Header, msg.Data = nats.Header(e.Header.ForRetry()), e.Payload
	e.Retry++
	msg.Header.Set(jobs.HeaderRetry, strconv.Itoa(e.Retry))
	msg.Header.Set(jobs.HeaderMsgID, fmt.Sprintf("retry/%s/%d", id, e.Retry))
	if err := q.again(ctx, e, msg); err != nil {
		return e, err
	}
	return e, q.removeDead(ctx, e)
}

// again publishes what a letter holds.
func (q *Queue) again(ctx context.Context, e DeadEntry, msg *nats.Msg) error {
	if err := q.publishWhole(ctx, msg, failWhenFull); err != nil {
		return fmt.Errorf("retry dead letter %s: %w", e.ID, lost(err))
	}
	return nil
}

func (q *Queue) removeDead(ctx context.Context, e DeadEntry) error {
	s, err := q.js.Stream(ctx, DeadStream)
	if err != nil {
		return q.streamError("look up", DeadStream, err)
	}
	err = s.DeleteMsg(ctx, e.sequence)
	if err != nil { // the server has no code of its own for a message that somebody else has removed
		if _, getErr := s.GetMsg(ctx, e.sequence); errors.Is(getErr, jetstream.ErrMsgNotFound) {
			err = nil
		}
	}
	for n := 0; err == nil && n < e.tails; n++ {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(tailSubject(jobs.DeadSubjectOf(e.Task, e.Model, e.ID), n)))
	}
	if err != nil {
		return fmt.Errorf("remove dead letter %s: %w", e.ID, lost(err))
	}
	return nil
}
