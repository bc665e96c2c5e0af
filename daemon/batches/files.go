package batches

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// Upload keeps what a reader gives. It is no file before AddFile, and goes where that does not come within a day.
func (s *Batches) Upload(ctx context.Context, r io.Reader) (queue.Content, error) {
	if err := s.ensureFiles(ctx); err != nil {
		return queue.Content{}, err
	}
	return s.o.Queue.PutContent(ctx, r)
}

// Discard removes an upload of which no file is made.
func (s *Batches) Discard(ctx context.Context, c queue.Content) {
	if err := s.o.Queue.DropContent(context.WithoutCancel(ctx), c); err != nil {
		s.o.Log.WarnContext(ctx, "an upload is left behind until it is swept", "content", c.ID, "error", err)
	}
}

// ensureFiles makes the stream of contents at the first one.
func (s *Batches) ensureFiles(ctx context.Context) error {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	if s.files {
		return nil
	}
	err := s.o.Queue.EnsureFiles(ctx, s.o.MaxBytes)
	if err == nil {
		err = s.o.Queue.EnsureBatches(ctx)
	}
	s.files = err == nil
	return err
}

// Uploaded tells of an upload that took since a time, for a trace that its client named.
func (s *Batches) Uploaded(of telemetry.Trace, f *File, begun time.Time) {
	s.o.Tracer.Step(of, "upload", begun, map[string]string{"textmill.file": f.ID})
}

// AddFile makes a file of an upload.
func (s *Batches) AddFile(ctx context.Context, f File) (File, error) {
	now := time.Now()
	f.ID, f.Created = newID("file-", now), now.UnixNano()
	return f, s.putFile(ctx, &f, 0)
}

// File is one by its id, unless it was deleted or has expired.
func (s *Batches) File(ctx context.Context, id string) (File, error) {
	f, _, err := s.file(ctx, id)
	return f, err
}

func (s *Batches) file(ctx context.Context, id string) (File, uint64, error) {
	r, err := s.record(ctx, jobs.KindFile, id)
	if err != nil {
		return File{}, 0, err
	}
	f, err := readFile(r)
	if err == nil && f.gone() {
		err = ErrNotFound
	}
	return f, r.Revision, err
}

func (f *File) gone() bool { return f.Deleted || f.Expires > 0 && time.Now().Unix() >= f.Expires }

// Files are all there are, the newest first.
func (s *Batches) Files(ctx context.Context) (all []File, err error) {
	err = s.eachFile(ctx, func(f *File, _ time.Time) {
		if !f.gone() {
			all = append(all, *f)
		}
	})
	slices.SortFunc(all, func(a, b File) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all, err
}

// Open reads a file; see queue.Content.
func (s *Batches) Open(ctx context.Context, f File) io.Reader {
	return s.o.Queue.Content(ctx, f.Content)
}

// DeleteFile removes a file. A batch that reads it goes on.
func (s *Batches) DeleteFile(ctx context.Context, id string) error {
	for {
		f, revision, err := s.file(ctx, id)
		if err != nil {
			return err
		}
		f.Deleted = true
		err = s.putFile(ctx, &f, revision)
		if errors.Is(err, queue.ErrChanged) {
			continue
		}
		if err != nil {
			return err
		}
		return s.dropUnread(ctx, f.Content)
	}
}

// dropUnread removes a content that no batch reads.
func (s *Batches) dropUnread(ctx context.Context, c queue.Content) error {
	read := false
	err := s.each(ctx, func(b *Batch) { read = read || !b.Status.Over() && b.Input.ID == c.ID })
	if err != nil || read { // it goes with a later sweep
		return err
	}
	if err := s.o.Queue.DropContent(ctx, c); err != nil {
		return fmt.Errorf("remove the content of a file: %w", err)
	}
	return nil
}
