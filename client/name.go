package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"textmill/export"
	"textmill/input"
	"textmill/jobs/queue"
)

// content is what inputs that can be read twice hold.
type content struct {
	shards, records int
	own             int           // records of the part
	prints          []fingerprint // of each shard
}

// fingerprint tells whether a shard is still the one that was read first.
type fingerprint [8]byte

var errChanged = errors.New("the input changes while it is read")

// compare refuses a shard, of this number and hash, that is another one than was read first.
func (w *content) compare(number int, sum [sha256.Size]byte) error {
	if w != nil && (number >= len(w.prints) || w.prints[number] != fingerprint(sum[:8])) {
		return errChanged
	}
	return nil
}

// name gives the job its name, unless it has one.
func (s *submission) name(ctx context.Context, q *queue.Queue, maxPayload int64, params []byte) error {
	switch {
	case s.o.Job != "":
		return nil
	case !s.src.repeatable() && s.o.Part.Of > 0:
		return fmt.Errorf("%w: several publishers of an input that cannot be read twice are one job only by its name; give each the same --job",
			ErrUsage)
	case !s.src.repeatable():
		s.o.Job = s.o.Dataset + "-" + strings.ReplaceAll(now().UTC().Format("20060102T150405.000000000Z"), ".", "-")
		fmt.Fprintln(s.o.Stderr, "an input that cannot be read twice, without --job, cannot be resumed: run again, it would be another job")
		return nil
	}
	if err := s.nameByContent(ctx, maxPayload); err != nil {
		return err
	}
	if q == nil || s.o.remote() {
		return nil
	}
	return s.resumeOld(ctx, q, params)
}

// nameByContent reads the inputs once. Equal names stand for equal payloads in equal shards, for the same dataset and
// params, which are in the payloads, and the same task and model.
func (s *submission) nameByContent(ctx context.Context, maxPayload int64) error {
	named := func(sum []byte) string { return s.o.Dataset + "-" + hex.EncodeToString(sum[:8]) }
	c, err := s.cutter(named(make([]byte, sha256.Size)), maxPayload)
	if err != nil {
		return err
	}
	h := sha256.New()
	fmt.Fprintf(h, "job 2\n%s\n%s\n%s\n", s.o.Task, s.o.Model, s.sha256)
	w := &content{}
	told := now()
	c.emit = func(one shard) error {
		sum := c.content(one)
		h.Write(sum[:])
		w.shards, w.records = w.shards+1, w.records+one.records
		if s.o.Part.has(one.number) {
			w.own += one.records
		}
		w.prints = append(w.prints, fingerprint(sum[:8]))
		if now().Sub(told) > lineEvery {
			told = now()
			fmt.Fprintf(s.o.progress(), "%d records read to name the job by its content; --job NAME would spare that\n",
				w.records)
		}
		return context.Cause(ctx)
	}
	if err := errors.Join(s.read(c, func(*input.Item) {}), s.src.close()); err != nil {
		return err
	}
	s.src = s.src.again()
	s.whole, s.o.Job = w, named(h.Sum(nil))
	return nil
}

// resumeOld goes on with a job that an earlier version has named, so that its rows are not made again. This is for one
// version.
func (s *submission) resumeOld(ctx context.Context, q *queue.Queue, params []byte) error {
	if err := q.EnsureStreams(ctx, s.o.Streams); err != nil {
		return err
	}
	if known, err := s.knows(ctx, q, s.o.Job); err != nil || known {
		return err
	}
	if s.o.WholeFiles || s.o.Input.TextTemplate != "" || s.o.Input.AttributeColumns != nil { // unknown to it
		return nil
	}
	old, err := oldName(s.o, params)
	if err != nil {
		return fmt.Errorf("name the job as before: %w", err)
	}
	known, err := s.knows(ctx, q, old)
	if err == nil && known {
		fmt.Fprintf(s.o.Stderr, "this job was begun under the name %s, which an earlier version derived from its files' times; it goes on under that name\n", old)
		s.o.Job = old
		if s.src.placed { // its shards hold lines without ids, and may be cut elsewhere
			s.src.bare, s.whole = true, nil
		}
	}
	return err
}

// knows asks the queue for a job, whose events are kept for 30 days, and the dataset's table where this process can
// see it.
func (s *submission) knows(ctx context.Context, q *queue.Queue, job string) (bool, error) {
	known, err := q.Knows(ctx, job)
	if err != nil || known || s.o.Tables == "" {
		return known, err
	}
	if known, err = export.KnowsJob(ctx, filepath.Join(s.o.Tables, s.o.Dataset), job); err != nil {
		fmt.Fprintf(s.o.Stderr, "the table of dataset %s cannot be asked for job %s: %v\n", s.o.Dataset, job, err)
	}
	return known, nil
}

// oldName is the name before names depended on content: of the request and each file's path, size and time.
func oldName(o SubmitOptions, paramsJSON []byte) (string, error) {
	h := sha256.New()
	part := func(s string) { fmt.Fprintf(h, "%d:%s\n", len(s), s) }
	for _, s := range []string{o.Dataset, o.Task, o.Model, string(paramsJSON), o.Input.Format, o.Input.TextColumn,
		o.Input.IDColumn} {
		part(s)
	}
	for _, f := range o.Files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return "", err
		}
		st, err := os.Stat(abs)
		if err != nil {
			return "", err
		}
		part(abs)
		part(fmt.Sprintf("%d %d", st.Size(), st.ModTime().UnixNano()))
	}
	return o.Dataset + "-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func now() time.Time { return time.Now() }
