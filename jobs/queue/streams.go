package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// Names of the streams.
const (
	JobStream   = "TEXTMILL_JOBS"
	DeadStream  = "TEXTMILL_DEAD"
	EventStream = "TEXTMILL_EVENTS"

	jobSubjects   = jobs.AllJobs
	deadSubjects  = jobs.AllDead
	eventSubjects = jobs.AllEvents

	eventAge = 30 * 24 * time.Hour
	leastMax = 16 << 20
)

// StreamOptions are for streams that are created. Where the server has no room
// for a size, the stream is made smaller and that is logged.
type StreamOptions struct {
	MaxBytes       int64 // of the job stream; 0 = 8 GiB
	DeadMaxBytes   int64 // 0 = 2 GiB
	EventsMaxBytes int64 // 0 = 512 MiB
}

// wanted is a stream as textmill makes it.
type wanted struct {
	size, byDefault int64
	cfg             jetstream.StreamConfig
}

func wantedStreams(o StreamOptions) []wanted {
	streams := []wanted{
		{o.MaxBytes, 8 << 30, jetstream.StreamConfig{
			Name: JobStream, Subjects: []string{jobSubjects}, Description: "textmill: jobs to do",
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		}},
		{o.DeadMaxBytes, 2 << 30, jetstream.StreamConfig{
			Name: DeadStream, Subjects: []string{deadSubjects}, Description: "textmill: messages that no retry can help",
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		}},
		{o.EventsMaxBytes, 512 << 20, jetstream.StreamConfig{
			Name: EventStream, Subjects: []string{eventSubjects}, Description: "textmill: what became of jobs",
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxAge: eventAge,
		}},
	}
	for i := range streams {
		streams[i].cfg.Storage = jetstream.FileStorage
	}
	return streams
}

// EnsureStreams creates the streams that are absent. It changes none that exist:
// settings that would lose messages are ErrStreamDiffers, naming each.
func (q *Queue) EnsureStreams(ctx context.Context, o StreamOptions) error {
	for _, s := range wantedStreams(o) {
		if err := q.ensureStream(ctx, s.cfg, s.size, s.byDefault); err != nil {
			return err
		}
	}
	return nil
}

// RestoreStreams makes those streams anew that somebody deleted, and says so.
func (q *Queue) RestoreStreams(ctx context.Context, o StreamOptions) error {
	for _, name := range []string{JobStream, DeadStream, EventStream} {
		_, err := q.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			q.log.WarnContext(ctx, "a stream was deleted and is made anew; publish again what was in it", "stream", name)
			return q.EnsureStreams(ctx, o)
		}
		if err != nil {
			return q.streamError("look up", name, err)
		}
	}
	return q.EnsureClaims(ctx)
}

// ensureStream asks again where the connection was lost, since what was asked on it is never answered.
func (q *Queue) ensureStream(ctx context.Context, want jetstream.StreamConfig, size, byDefault int64) error {
	ctx, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		bound, free := q.link.bind(ctx)
		err := q.lookOrMake(bound, want, size, byDefault)
		if err != nil {
			err = reason(bound, err)
		}
		free()
		if !errors.Is(err, ErrDisconnected) {
			return err
		}
		select {
		case <-ctx.Done():
			return q.streamError("look up", want.Name, err)
		case <-q.closed:
			return q.streamError("look up", want.Name, nats.ErrConnectionClosed)
		case <-time.After(delay(attempt)):
		}
	}
}

func (q *Queue) lookOrMake(ctx context.Context, want jetstream.StreamConfig, size, byDefault int64) error {
	s, err := q.js.Stream(ctx, want.Name)
	if err == nil {
		return q.checkStream(s.CachedInfo().Config, want)
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return q.streamError("look up", want.Name, err)
	}
	want.MaxBytes, want.Replicas = size, q.replicas
	if size <= 0 {
		want.MaxBytes = byDefault
	}
	_, err = q.js.CreateStream(ctx, want)
	if noRoom(err) {
		err = q.createSmall(ctx, want)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another daemon was faster
		if s, err = q.js.Stream(ctx, want.Name); err == nil {
			return q.checkStream(s.CachedInfo().Config, want)
		}
	}
	return q.streamError("create", want.Name, err)
}

// createSmall takes half of the largest size that the server has room for, so
// that something is left for other streams.
func (q *Queue) createSmall(ctx context.Context, want jetstream.StreamConfig) error {
	for {
		want.MaxBytes /= 2
		_, err := q.js.CreateStream(ctx, want)
		if noRoom(err) && want.MaxBytes/2 >= leastMax {
			continue
		}
		if err != nil {
			return err
		}
		want.MaxBytes /= 2
		q.log.WarnContext(ctx, "the server has room for a small stream only", "stream", want.Name, "max_bytes",
			want.MaxBytes)
		if _, err = q.js.UpdateStream(ctx, want); noRoom(err) { // others took what was left; it stays as it was made
			err = nil
		}
		return err
	}
}

func noRoom(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeInsufficientStorage ||
		api.ErrorCode == codeInsufficientResources)
}

func (q *Queue) streamError(verb, name string, err error) error {
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) ||
		errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("%w: start %s with -js -sd DIR, or enable jetstream in its configuration and for this account",
			ErrNoJetStream, q.server)
	}
	return fmt.Errorf("%s stream %s at %s: %w", verb, name, q.server, err)
}

// checkStream names every setting under which messages would be lost or missed.
func (q *Queue) checkStream(have, want jetstream.StreamConfig) error {
	var wrong []string
	differ := func(ok bool, setting string, have, want any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %v and must be %v", setting, have, want))
		}
	}
	covered := false
	for _, s := range have.Subjects {
		covered = covered || s == want.Subjects[0] || s == "textmill.>" || s == ">"
	}
	differ(covered, "subjects", have.Subjects, want.Subjects)
	differ(have.Retention == want.Retention, "retention", have.Retention, want.Retention)
	differ(have.Storage == want.Storage, "storage", have.Storage, want.Storage)
	differ(!have.NoAck, "no_ack", have.NoAck, false)
	if want.Name != EventStream {
		differ(have.Discard == want.Discard, "discard", have.Discard, want.Discard)
		differ(have.MaxAge == 0 || want.MaxAge > 0, "max_age", have.MaxAge, 0)
		most, all := have.MaxMsgsPerSubject, have.MaxMsgsPerSubject <= 0 || have.DiscardNewPerSubject
		if want.MaxMsgsPerSubject > 0 { // older ones are to go
			all = most == want.MaxMsgsPerSubject && !have.DiscardNewPerSubject
		}
		differ(all, "max_msgs_per_subject", most, cmp.Or(want.MaxMsgsPerSubject, -1))
	}
	if wrong != nil {
		return fmt.Errorf("stream %s at %s: %w: %s; change it with `nats stream edit %s`, or remove it and let textmill create it",
			want.Name, q.server, ErrStreamDiffers, strings.Join(wrong, "; "), want.Name)
	}
	if want.Name == JobStream && have.MaxBytes <= 0 {
		q.log.Warn("the job stream has no byte limit, so publishers are never slowed down", "stream", want.Name)
	}
	return nil
}
