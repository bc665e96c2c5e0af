package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs/queue"
)

// publisher is a client that is not ours: plain nats.go.
type publisher struct {
	nc *nats.Conn
	js jetstream.JetStream
}

func newPublisher(url string) (*publisher, error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(func(int) time.Duration { return 20 * time.Millisecond }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second))
	return &publisher{nc, js}, err
}

// message is what is published, perhaps more than once.
type message struct {
	subject string
	msgID   string
	plain   bool
	claimed bool // the payload goes ahead in chunks
	data    []byte
}

// publish repeats each message until the server confirms it.
func (p *publisher) publish(ctx context.Context, all ...message) error {
	for _, m := range all {
		msg := nats.NewMsg(m.subject)
		msg.Data = m.data
		if m.msgID != "" {
			msg.Header.Set("Nats-Msg-Id", m.msgID)
		}
		if m.plain {
			msg.Header.Set("Content-Type", "text/plain")
			msg.Header.Set("Textmill-Dataset", dataset)
		}
		if m.claimed {
			if err := p.leave(ctx, m, msg); err != nil {
				return err
			}
		}
		if err := p.confirmed(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

// confirmed repeats a message until it is in its stream.
func (p *publisher) confirmed(ctx context.Context, msg *nats.Msg) error {
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := p.js.PublishMsg(one, msg)
		cancel()
		if err == nil {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
}

const chunkBytes = 512

// leave puts a message's payload into the stream of claims, as docs/reference/protocol.md says, and the claim in its
// place.
func (p *publisher) leave(ctx context.Context, m message, msg *nats.Msg) error {
	var names shardMessage
	if err := json.Unmarshal(m.data, &names); err != nil {
		return err
	}
	id, chunks := rand.Text(), 0
	for chunk := range slices.Chunk(m.data, chunkBytes) {
		c := nats.NewMsg("textmill.claims." + names.Job + "." + id)
		c.Data = chunk
		c.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s/%d", id, chunks))
		if err := p.confirmed(ctx, c); err != nil {
			return err
		}
		chunks++
	}
	msg.Header.Set("Textmill-Claim", id)
	msg.Header.Set("Textmill-Claim-Chunks", strconv.Itoa(chunks))
	msg.Header.Set("Textmill-Claim-Size", strconv.Itoa(len(m.data)))
	msg.Header.Set("Textmill-Claim-Sha256", fmt.Sprintf("%x", sha256.Sum256(m.data)))
	body, err := json.Marshal(map[string]any{"job": names.Job, "shard": names.Shard, "dataset": names.Dataset})
	msg.Data = body
	return err
}

// waiting is how many messages the job stream holds.
func (p *publisher) waiting(ctx context.Context) (uint64, error) {
	s, err := p.state(ctx)
	return s.Msgs, err
}

func (p *publisher) state(ctx context.Context) (jetstream.StreamState, error) {
	one, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := p.js.Stream(one, queue.JobStream)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return s.CachedInfo().State, nil
}

// empties waits until no message for a model is left.
func (p *publisher) empties(ctx context.Context, model string) error {
	for {
		s, err := p.js.Stream(ctx, queue.JobStream)
		if err != nil {
			return err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter("textmill.jobs.*."+model+".>"))
		if err != nil {
			return err
		}
		if len(info.State.Subjects) == 0 {
			return nil
		}
		if err := pause(ctx, sampleEvery); err != nil {
			return err
		}
	}
}

// hasStreams reports whether every stream is there.
func (p *publisher) hasStreams(ctx context.Context) bool {
	one, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range []string{queue.JobStream, queue.DeadStream, queue.EventStream} {
		if _, err := p.js.Stream(one, name); err != nil {
			return false
		}
	}
	return true
}

// remake deletes the job stream and makes it anew, as it was.
func (p *publisher) remake(ctx context.Context) error {
	s, err := p.js.Stream(ctx, queue.JobStream)
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	if err := p.js.DeleteStream(ctx, queue.JobStream); err != nil {
		return err
	}
	_, err = p.js.CreateStream(ctx, config)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // a daemon was faster
		return nil
	}
	return err
}

// drop deletes a stream. One that is being made anew is there already or will be soon.
func (p *publisher) drop(ctx context.Context, name string) error {
	err := p.js.DeleteStream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

// letter is a dead letter as it lies in the stream.
type letter struct {
	class   string
	model   string
	payload []byte
}

// letters reads every dead letter.
func (p *publisher) letters(ctx context.Context) ([]letter, error) {
	s, err := p.js.Stream(ctx, queue.DeadStream)
	if err != nil {
		return nil, err
	}
	var all []letter
	state := s.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, letter{class: m.Header.Get("Textmill-Class"), model: strings.Split(m.Subject, ".")[3],
			payload: bytes.Clone(m.Data)})
	}
	return all, nil
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// copyTree replaces to with a copy of from.
func copyTree(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}
