package batches

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"textmill/ground/ondisk"
	"textmill/ground/plain"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/work/batchlines"
)

// collect makes the answers of a batch out of its job's rows, and says of each request that has none why. Nothing
// refers to them before the batch does, in one change, so of several processes that do this one's are kept.
func (s *Batches) collect(ctx context.Context, h *held) (err error) {
	b := h.now()
	if b.Model == "" { // cancelled before anything was known of it
		return h.change(ctx, func(b *Batch) { b.Collected = true })
	}
	out, bad := s.newSink(ctx), s.newSink(ctx)
	err = s.answer(ctx, &b, out, bad)
	output := out.close(err)
	failures := bad.close(errors.Join(err, out.err))
	err = errors.Join(err, out.err, bad.err)
	drop := func() {
		for _, sink := range []*sink{out, bad} {
			if sink.content.Chunks > 0 {
				s.Discard(ctx, sink.content)
			}
		}
	}
	if err != nil {
		drop()
		return fmt.Errorf("collect the answers of batch %s: %w", b.ID, err)
	}
	s.o.Point("batch-collected")
	err = h.change(ctx, func(b *Batch) {
		b.Output, b.Errors = b.fileOf("output", output), b.fileOf("errors", failures)
		b.Counts.Completed, b.Counts.Failed = out.lines, bad.lines
		b.Collected = true
	})
	if errors.Is(err, queue.ErrChanged) {
		drop()
	}
	return err
}

// fileOf is a file of lines, nil where there are none.
func (b *Batch) fileOf(what string, c queue.Content) *File {
	if c.Size == 0 {
		return nil
	}
	now := time.Now()
	f := &File{ID: newID("file-", now), Name: b.ID + "_" + what + ".jsonl", Purpose: PurposeOutput, Created: now.UnixNano(),
		Content: c}
	if b.OutputExpires > 0 {
		f.Expires = now.Unix() + b.OutputExpires
	}
	return f
}

// answer writes a line for every request of a batch.
func (s *Batches) answer(ctx context.Context, b *Batch, out, bad *sink) error {
	asked, err := ondisk.NewSorter(s.o.Scratch, sorterBytes)
	if err != nil {
		return err
	}
	answered, err := ondisk.NewSorter(s.o.Scratch, sorterBytes)
	if err != nil {
		return errors.Join(err, asked.Close())
	}
	err = s.answerFromRows(ctx, b, answered, out, bad)
	if err == nil {
		err = s.ask(ctx, b, asked)
	}
	if err == nil {
		err = s.answerTheRest(ctx, b, asked, answered, bad)
	}
	return errors.Join(err, asked.Close(), answered.Close())
}

func (s *Batches) answerFromRows(ctx context.Context, b *Batch, answered *ondisk.Sorter, out, bad *sink) error {
	o := batchlines.Options{Job: b.ID, Scratch: s.o.Scratch}
	err := batchlines.Each(ctx, s.o.Table(b.Dataset), o, func(l batchlines.Line) error {
		to := out
		if l.Error != nil {
			to = bad
		}
		return errors.Join(answered.Add([]byte(l.CustomID)), to.write(l))
	})
	if errors.Is(err, os.ErrNotExist) { // nothing was committed
		return nil
	}
	return err
}

// ask notes what the requests are called.
func (s *Batches) ask(ctx context.Context, b *Batch, asked *ondisk.Sorter) error {
	lines := input.NewBatchReader(s.o.Queue.Content(ctx, b.Input), b.Endpoint, s.o.Submit.Input.MaxRecordBytes)
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = asked.Add([]byte(l.CustomID))
		}
		if err != nil {
			return err
		}
	}
}

// answerTheRest goes through what was asked and what was answered side by side.
func (s *Batches) answerTheRest(ctx context.Context, b *Batch, asked, answered *ondisk.Sorter, bad *sink) error {
	questions, err := asked.Sorted()
	if err != nil {
		return err
	}
	answers, err := answered.Sorted()
	if err != nil {
		return err
	}
	why := ""
	have, more, err := next(answers)
	for err == nil {
		var id string
		var left bool
		if id, left, err = next(questions); err != nil || !left {
			return err
		}
		for err == nil && more && have < id {
			have, more, err = next(answers)
		}
		if err != nil || more && have == id {
			continue
		}
		if why == "" {
			why = s.whyNoRow(ctx, b)
		}
		err = bad.write(batchlines.Unanswered(b.ID, id, unanswered(b.End, why)))
	}
	return err
}

func next(c *ondisk.Cursor) (key string, more bool, err error) {
	raw, _, err := c.Next()
	if errors.Is(err, io.EOF) {
		return "", false, nil
	}
	return string(raw), err == nil, err
}

// whyNoRow says what became of shards of a job that left no rows.
func (s *Batches) whyNoRow(ctx context.Context, b *Batch) string {
	var dead []jobs.Event
	t, err := s.o.Queue.Track(ctx, queue.TrackOptions{Job: b.ID, OnEvent: func(e jobs.Event) {
		if e.Type == jobs.EventDead {
			dead = append(dead, e)
		}
	}})
	if err == nil {
		t.Close()
	}
	if len(dead) == 0 {
		return "nobody told why."
	}
	return fmt.Sprintf("its message became a dead letter; there are %d, the first for %s (%s). See textmill dead list --job %s.",
		len(dead), dead[0].Class, dead[0].Reason, b.ID)
}

// sink keeps lines in the queue.
type sink struct {
	lines   int64
	buffer  *bufio.Writer
	pipe    *io.PipeWriter
	done    chan struct{}
	content queue.Content
	err     error
}

func (s *Batches) newSink(ctx context.Context) *sink {
	r, w := io.Pipe()
	k := &sink{buffer: bufio.NewWriterSize(w, 64<<10), pipe: w, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.content, k.err = s.Upload(ctx, r)
		_ = r.CloseWithError(k.err) // so that nobody writes on
	}()
	return k
}

func (k *sink) write(l batchlines.Line) error {
	k.lines++
	return plain.JSON(k.buffer, l)
}

// close ends the lines, or breaks them off for an error. What comes to be wrong with them is in err.
func (k *sink) close(err error) queue.Content {
	if err == nil {
		err = k.buffer.Flush()
	}
	_ = k.pipe.CloseWithError(err) // nil is the end
	<-k.done
	return k.content
}
