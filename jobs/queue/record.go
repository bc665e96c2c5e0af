package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// BatchStream holds what is known of files and batches, the latest of each, and of the tables that the queue is bound
// to.
const BatchStream = "TEXTMILL_BATCHES"

const recordBytes = 256 << 20

// ErrChanged: a record is another one by now than it was expected to be.
var ErrChanged = errors.New("it was changed meanwhile")

// Record is what is known of a file or a batch.
type Record struct {
	Kind, ID string
	Data     []byte
	Revision uint64
	Time     time.Time // when the server took it
}

// EnsureBatches creates the stream of records where it is absent. ErrFull says that the server has no room for it.
func (q *Queue) EnsureBatches(ctx context.Context) error {
	err := q.ensureStream(ctx, jetstream.StreamConfig{
		Name: BatchStream, Subjects: []string{jobs.AllBatches}, Description: "textmill: files and batches of /v1",
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1,
		Storage: jetstream.FileStorage,
	}, recordBytes, recordBytes)
	if noRoom(err) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// PutRecord replaces the record of a revision, 0 for none, and gives the new one's. Of several who replace the same,
// one succeeds, and ErrChanged is what the others get; whoever writes the same bytes has succeeded too.
func (q *Queue) PutRecord(ctx context.Context, r Record) (revision uint64, err error) {
	msg := nats.NewMsg(jobs.BatchSubject(r.Kind, r.ID))
	msg.Data = r.Data
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, fmt.Sprint(r.Revision))
	if _, err := q.checkSize(msg); err != nil {
		return 0, err
	}
	revision, err = q.publishAt(ctx, msg, failWhenFull)
	var api *jetstream.APIError
	if err == nil || !errors.As(err, &api) || api.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence &&
		api.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequenceConstant {
		return revision, err
	}
	now, err := q.Record(ctx, r.Kind, r.ID)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !bytes.Equal(now.Data, r.Data):
		return 0, fmt.Errorf("%s %s: %w", r.Kind, r.ID, ErrChanged)
	case err != nil:
		return 0, err
	}
	return now.Revision, nil
}

// Record is the latest one; ErrNotFound where there is none.
func (q *Queue) Record(ctx context.Context, kind, id string) (Record, error) {
	bound, free := q.link.bind(ctx)
	defer free()
	one, cancel := context.WithTimeout(bound, 2*askTimeout)
	defer cancel()
	s, err := q.js.Stream(one, BatchStream)
	var m *jetstream.RawStreamMsg
	if err == nil {
		m, err = s.GetLastMsgForSubject(one, jobs.BatchSubject(kind, id))
	}
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return Record{}, fmt.Errorf("%s %s: %w", kind, id, ErrNotFound)
	case err != nil:
		return Record{}, fmt.Errorf("%s %s: %w", kind, id, lost(reason(bound, err)))
	}
	return Record{Kind: kind, ID: id, Data: m.Data, Revision: m.Sequence, Time: m.Time}, nil
}

// Records calls each with all records of a kind that there are, in the order of their last changes.
func (q *Queue) Records(ctx context.Context, kind string, each func(Record) error) error {
	if _, err := q.js.Stream(ctx, BatchStream); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	f := &follower{q: q, stream: BatchStream, filter: jobs.BatchSubject(kind, "*")}
	defer f.close()
	for again := true; again; again = f.pending > 0 {
		if err := f.read(ctx, followBatch, 0, onRecord(each)); err != nil && !errors.Is(err, errGap) {
			return err
		}
	}
	return nil
}

// FollowRecords calls each with all records of a kind, and then with each change, until ctx ends or an error.
func (q *Queue) FollowRecords(ctx context.Context, kind string, each func(Record) error) error {
	f := &follower{q: q, stream: BatchStream, filter: jobs.BatchSubject(kind, "*")}
	defer f.close()
	for {
		if err := f.read(ctx, followBatch, followWait, onRecord(each)); err != nil && !errors.Is(err, errGap) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func onRecord(each func(Record) error) func(*nats.Msg, ackSubject) error {
	return func(msg *nats.Msg, a ackSubject) error {
		kind, id, ok := strings.Cut(strings.TrimPrefix(msg.Subject, strings.TrimSuffix(jobs.AllBatches, ">")), ".")
		if !ok {
			return nil
		}
		return each(Record{Kind: kind, ID: id, Data: msg.Data, Revision: a.sequence, Time: a.timestamp})
	}
}

// DropRecord removes a record, whatever it is.
func (q *Queue) DropRecord(ctx context.Context, kind, id string) error {
	_, err := q.purge(ctx, BatchStream, jobs.BatchSubject(kind, id), 0)
	return err
}
