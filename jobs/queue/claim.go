package queue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// ClaimStream holds payloads larger than the server carries in one message, in chunks.
const ClaimStream = "TEXTMILL_CLAIMS"

const (
	claimAge   = 7 * 24 * time.Hour
	claimBytes = 8 << 30
	// chunkHeaders is more than the headers of a chunk take.
	chunkHeaders = 1 << 10
)

// EnsureClaims creates the stream of claims where it is absent.
func (q *Queue) EnsureClaims(ctx context.Context) error {
	age := q.claimAge
	if age <= 0 {
		age = claimAge
	}
	return q.ensureStream(ctx, jetstream.StreamConfig{
		Name: ClaimStream, Subjects: []string{jobs.AllClaims}, Description: "textmill: payloads of large messages",
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxAge: age, AllowDirect: true,
		Storage: jetstream.FileStorage,
	}, q.claimBytes, claimBytes)
}

// publishWhole publishes a message; one that is larger than the server carries leaves its payload in the stream of
// claims, under an id of its own: whoever publishes the same again leaves it there again.
func (q *Queue) publishWhole(ctx context.Context, msg *nats.Msg, full onFull) error {
	_, tooLarge := q.checkSize(msg)
	if tooLarge == nil {
		return q.publish(ctx, msg, full)
	}
	subject, err := jobs.ParseSubject(msg.Subject)
	if err != nil || subject.Job == "" {
		return tooLarge
	}
	claim, err := q.leave(ctx, subject.Job, msg.Data, full)
	if errors.Is(err, ErrRefused) {
		err = fmt.Errorf("%w (let this user publish to %s and ask $JS.API.STREAM.INFO.%s, or set limits.claim_bytes to 0, which makes error rows of such records)",
			err, jobs.ClaimsOf(subject.Job), ClaimStream)
	}
	if err != nil {
		return fmt.Errorf("%w, so it travels as a claim: %w", tooLarge, err)
	}
	header := jobs.Header(msg.Header)
	stub := &nats.Msg{Subject: msg.Subject, Header: nats.Header(header.Unclaimed()), Data: jobs.Stub(msg.Data, header)}
	if id := header.Get(jobs.HeaderMsgID); id != "" {
		stub.Header.Set(jobs.HeaderMsgID, id)
	}
	claim.Set(jobs.Header(stub.Header))
	if _, err := q.checkSize(stub); err != nil {
		return err
	}
	return q.publish(ctx, stub, full)
}

// leave puts a payload into the stream of claims.
func (q *Queue) leave(ctx context.Context, job string, payload []byte, full onFull) (*jobs.Claim, error) {
	if err := q.ensureClaimsOnce(ctx); err != nil {
		return nil, err
	}
	chunk := int(q.nc.MaxPayload()) - chunkHeaders
	if chunk < chunkHeaders {
		return nil, fmt.Errorf("%w: its max_payload is %d, which is too little for claims", ErrTooLarge, q.nc.MaxPayload())
	}
	sum := sha256.Sum256(payload)
	claim := &jobs.Claim{ID: rand.Text(), Size: int64(len(payload)), SHA256: hex.EncodeToString(sum[:])}
	for rest := payload; len(rest) > 0; claim.Chunks++ {
		n := min(chunk, len(rest))
		msg := nats.NewMsg(jobs.ClaimSubject(job, claim.ID))
		msg.Data, rest = rest[:n], rest[n:]
		msg.Header.Set(jobs.HeaderMsgID, claim.ID+"/"+strconv.Itoa(claim.Chunks))
		if err := q.publish(ctx, msg, full); err != nil {
			return nil, err
		}
	}
	return claim, nil
}

// ensureClaimsOnce makes the stream at the first claim that this process leaves: publishing into none would never end.
func (q *Queue) ensureClaimsOnce(ctx context.Context) error {
	q.claimsMu.Lock()
	defer q.claimsMu.Unlock()
	if q.claimsThere {
		return nil
	}
	denied := q.denied.Load()
	err := q.EnsureClaims(ctx)
	if err != nil && q.denied.Load() != denied {
		return fmt.Errorf("look up stream %s: %w: the user lacks a permission", ClaimStream, ErrRefused)
	}
	q.claimsThere = err == nil
	return err
}

// Redeem reads the payload of a message with a claim, and verifies it; one of more than so many bytes is not read. An
// *jobs.Invalid says that it cannot be had; ErrNotFound that the message itself is over, as its claim is then.
func (d *Delivery) Redeem(ctx context.Context, most int64) ([]byte, error) {
	c := d.Claim
	if c.Size > most {
		return nil, &jobs.Invalid{Class: jobs.InvalidJob, Reason: fmt.Sprintf(
			"the payload in the claim has %d bytes, the daemon takes %d; raise limits.claim_bytes, then retry", c.Size, most)}
	}
	payload, at, err := d.q.chunks(ctx, jobs.ClaimSubject(d.Job, c.ID), c)
	if err != nil {
		return nil, fmt.Errorf("read claim %s of message %d: %w", c.ID, d.Sequence, lost(err))
	}
	if at.count < c.Chunks {
		return nil, d.missing(ctx, at.count)
	}
	sum := sha256.Sum256(payload)
	if int64(len(payload)) != c.Size || sum != c.Sum() {
		return nil, &jobs.Invalid{Class: jobs.ClaimDamaged, Reason: fmt.Sprintf(
			"the chunks of claim %s are %d bytes with SHA-256 %x, its message says %d bytes with %s; publish the shard again",
			c.ID, len(payload), sum, c.Size, c.SHA256)}
	}
	return payload, nil
}

// chunked is what of a claim was found.
type chunked struct {
	count int
	last  uint64 // sequence
}

// chunks reads as many as the claim names, and no more bytes than it names.
func (q *Queue) chunks(ctx context.Context, subject string, c *jobs.Claim) (payload []byte, at chunked, err error) {
	bound, free := q.link.bind(ctx)
	defer free()
	s, err := q.js.Stream(bound, ClaimStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, at, nil
	}
	for err == nil && at.count < c.Chunks && int64(len(payload)) <= c.Size {
		var m *jetstream.RawStreamMsg
		one, cancel := context.WithTimeout(bound, 2*askTimeout)
		m, err = s.GetMsg(one, at.last+1, jetstream.WithGetMsgSubject(subject))
		cancel()
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return payload, at, nil
		}
		if err != nil {
			break
		}
		if payload == nil {
			payload = make([]byte, 0, min(c.Size, int64(len(m.Data))*int64(c.Chunks)))
		}
		payload = append(payload, m.Data...)
		at = chunked{at.count + 1, m.Sequence}
	}
	if err != nil {
		return nil, at, reason(bound, err)
	}
	if int64(len(payload)) > c.Size { // more chunks would not mend it
		at.count = c.Chunks
	}
	return payload, at, nil
}

// missing tells a claim that is lost from one that was purged since its message is over.
func (d *Delivery) missing(ctx context.Context, found int) error {
	here := *d
	here.Data = nil
	if _, err := here.Payload(ctx); err != nil {
		return err
	}
	return &jobs.Invalid{Class: jobs.ClaimMissing, Reason: fmt.Sprintf(
		"%d of the %d chunks of claim %s are in stream %s: it was removed, or is older than the stream's max_age; publish the shard again, then retry this letter to be rid of it",
		found, d.Claim.Chunks, d.Claim.ID, ClaimStream)}
}

// Whole is what jobs.Decode reads once the payload is redeemed.
func (d *Delivery) Whole(payload []byte) jobs.Message {
	return jobs.Message{Subject: d.Subject, Header: d.Header.Unclaimed(), Data: payload, Sequence: d.Sequence}
}

// EndClaim removes the chunks of a delivery that is over. What is not removed, as after a crash, goes with its age.
func (d *Delivery) EndClaim(ctx context.Context) error {
	if d.Claim == nil {
		return nil
	}
	_, err := d.q.purge(ctx, ClaimStream, jobs.ClaimSubject(d.Job, d.Claim.ID), 0)
	return err
}

// Claims says how many chunks the stream of claims holds, and the sequence of the newest that it took; 0 without one.
func (q *Queue) Claims(ctx context.Context) (chunks, last uint64, err error) {
	s, err := q.js.Stream(ctx, ClaimStream)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return 0, 0, nil
	case err != nil:
		return 0, 0, q.streamError("look up", ClaimStream, err)
	}
	state := s.CachedInfo().State
	return state.Msgs, state.LastSeq, nil
}

// PurgeClaims removes a job's chunks up to a sequence. Dead letters have payloads of their own.
func (q *Queue) PurgeClaims(ctx context.Context, job string, last uint64) error {
	if last == 0 {
		return nil
	}
	_, err := q.purge(ctx, ClaimStream, jobs.ClaimsOf(job), last+1)
	return err
}

// purge removes the messages of a stream that a filter chooses, before a sequence, 0 for all.
func (q *Queue) purge(ctx context.Context, stream, filter string, before uint64) (uint64, error) {
	req, err := json.Marshal(struct {
		Filter string `json:"filter"`
		Before uint64 `json:"seq,omitempty"`
	}{filter, before})
	if err != nil {
		return 0, fmt.Errorf("purge %s: %w", filter, err)
	}
	ask, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	msg, err := q.nc.RequestWithContext(ask, "$JS.API.STREAM.PURGE."+stream, req)
	if err != nil {
		return 0, fmt.Errorf("purge %s: %w", filter, lost(err))
	}
	var answer struct {
		Error  *jetstream.APIError `json:"error"`
		Purged uint64              `json:"purged"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return 0, fmt.Errorf("purge %s: read the answer: %w", filter, err)
	}
	if answer.Error != nil {
		return 0, fmt.Errorf("purge %s: %w", filter, answer.Error)
	}
	return answer.Purged, nil
}
