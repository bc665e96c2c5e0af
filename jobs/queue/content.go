package queue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

// FileStream holds the contents of files, in chunks.
const FileStream = "TEXTMILL_FILES"

const fileBytes = 8 << 30

// ErrNotWhole: chunks of a content are gone, or hold other bytes.
var ErrNotWhole = errors.New("the content is not whole any more")

// Content says where what a file holds lies, and what it must be.
type Content struct {
	ID     string `json:"id"`
	Chunks int    `json:"chunks"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// EnsureFiles creates the stream of contents where it is absent, of so many bytes at most; 0 = 8 GiB. ErrFull says
// that the server has no room for one.
func (q *Queue) EnsureFiles(ctx context.Context, maxBytes int64) error {
	err := q.ensureStream(ctx, jetstream.StreamConfig{
		Name: FileStream, Subjects: []string{jobs.AllFiles}, Description: "textmill: contents of files of /v1/files",
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage,
	}, maxBytes, fileBytes)
	if noRoom(err) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// PutContent keeps what a reader gives, a chunk in memory at a time. Until somebody keeps what it returns nobody finds
// it: what is left of one that was broken off goes with SweepContents. ErrFull says that there is no room.
func (q *Queue) PutContent(ctx context.Context, r io.Reader) (Content, error) {
	c := Content{ID: strconv.FormatInt(time.Now().Unix(), 36) + "-" + rand.Text()}
	size := int(q.nc.MaxPayload()) - chunkHeaders
	if size < chunkHeaders {
		return c, fmt.Errorf("%w: its max_payload is %d, which is too little for files", ErrTooLarge, q.nc.MaxPayload())
	}
	sum := sha256.New()
	buffer := make([]byte, size)
	for {
		n, err := fill(r, buffer)
		if n > 0 {
			msg := nats.NewMsg(jobs.FileSubject(c.ID))
			msg.Data = buffer[:n]
			msg.Header.Set(jobs.HeaderMsgID, c.ID+"/"+strconv.Itoa(c.Chunks))
			if err := q.publish(ctx, msg, failWhenFull); err != nil {
				return c, errors.Join(err, q.dropPart(ctx, c))
			}
			_, _ = sum.Write(buffer[:n]) // a hash never fails
			c.Chunks, c.Size = c.Chunks+1, c.Size+int64(n)
		}
		switch {
		case errors.Is(err, io.EOF):
			c.SHA256 = hex.EncodeToString(sum.Sum(nil))
			return c, nil
		case err != nil:
			return c, errors.Join(err, q.dropPart(ctx, c))
		}
	}
}

// fill is io.ReadFull that tells an end from one that came too early, as a reader's own error says.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var m int
		m, err = r.Read(buffer[n:])
		n += m
	}
	return n, err
}

// dropPart removes what was put of a content that did not come whole, though ctx has ended.
func (q *Queue) dropPart(ctx context.Context, c Content) error {
	return q.DropContent(context.WithoutCancel(ctx), c)
}

// DropContent removes a content.
func (q *Queue) DropContent(ctx context.Context, c Content) error {
	_, err := q.purge(ctx, FileStream, jobs.FileSubject(c.ID), 0)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

// Content reads a content, a chunk in memory at a time, until ctx ends. What is read was not compared before the end
// is: ErrNotWhole comes in its place where it is not what was put.
func (q *Queue) Content(ctx context.Context, c Content) io.Reader {
	r := &contentReader{c: c, sum: sha256.New()}
	var stream jetstream.Stream
	var last uint64
	r.more = func() ([]byte, error) {
		bound, free := q.link.bind(ctx)
		defer free()
		one, cancel := context.WithTimeout(bound, 2*askTimeout)
		defer cancel()
		var err error
		if stream == nil {
			stream, err = q.js.Stream(one, FileStream)
		}
		var m *jetstream.RawStreamMsg
		if err == nil {
			m, err = stream.GetMsg(one, last+1, jetstream.WithGetMsgSubject(jobs.FileSubject(c.ID)))
		}
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, fmt.Errorf("%w: %d of the %d chunks of %s are in stream %s", ErrNotWhole, r.chunks, c.Chunks, c.ID,
				FileStream)
		case err != nil:
			return nil, fmt.Errorf("read content %s: %w", c.ID, lost(reason(bound, err)))
		}
		last = m.Sequence
		return m.Data, nil
	}
	return r
}

type contentReader struct {
	c      Content
	more   func() ([]byte, error)
	chunks int
	size   int64
	rest   []byte
	sum    hash.Hash
	err    error
}

func (r *contentReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err == nil {
			r.next()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *contentReader) next() {
	if r.chunks == r.c.Chunks {
		r.err = io.EOF
		if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.c.SHA256 || r.size != r.c.Size {
			r.err = fmt.Errorf("%w: %s is %d bytes with SHA-256 %s, and was %d with %s", ErrNotWhole, r.c.ID, r.size, got,
				r.c.Size, r.c.SHA256)
		}
		return
	}
	if r.rest, r.err = r.more(); r.err != nil {
		return
	}
	r.chunks++
	r.size += int64(len(r.rest))
	_, _ = r.sum.Write(r.rest)
}

// SweepContents removes contents that were begun before a time, by their ids, and that are not kept. It says how many.
func (q *Queue) SweepContents(ctx context.Context, before time.Time, kept func(id string) bool) (int, error) {
	s, err := q.js.Stream(ctx, FileStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = s.Info(ctx, jetstream.WithSubjectFilter(jobs.AllFiles))
	}
	if err != nil {
		return 0, q.streamError("list the subjects of", FileStream, err)
	}
	n := 0
	for subject := range info.State.Subjects {
		id := strings.TrimPrefix(subject, strings.TrimSuffix(jobs.AllFiles, ">"))
		begun, _, _ := strings.Cut(id, "-")
		at, err := strconv.ParseInt(begun, 36, 64)
		if err != nil || !time.Unix(at, 0).Before(before) || kept(id) {
			continue
		}
		if err := q.DropContent(ctx, Content{ID: id}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
