package export

import (
	"context"
	"errors"
	"fmt"
)

// Spool takes the rows of one big delivery as they come, into parts of its own, and is then given to a batch. It is
// used by one goroutine at a time.
type Spool struct {
	t   *Table
	key Key
	parter
	rows   int64
	errors int64
	broken error

	vectors bool // some row has one
	taken   bool // by a batch, which now owns the parts
}

// Spool starts a delivery that is too big to be held whole; see Begin for the errors. It outlives any number of
// batches.
func (t *Table) Spool(ctx context.Context, k Key, kind EmbeddingKind) (*Spool, error) {
	if k.AppID == "" {
		return nil, errNoKey
	}
	h, kind, err := t.begin(ctx, kind)
	if err != nil {
		return nil, err
	}
	return &Spool{t: t, key: k, parter: parter{h: h, o: t.store.o, kind: kind, by: h.layout().by}}, nil
}

// Append writes further rows. ErrRow leaves the spool as it was; after any other error it can only be aborted.
func (s *Spool) Append(rows []Row) error {
	switch {
	case s.taken:
		return errors.New("spool belongs to a batch")
	case s.broken != nil:
		return s.broken
	case len(rows) == 0:
		return nil
	}
	if err := s.write(rows); err != nil {
		if errors.Is(err, ErrRow) {
			return err
		}
		return s.fail(err)
	}
	s.rows += int64(len(rows))
	s.errors += countErrors(rows)
	s.vectors = s.vectors || haveVectors(rows)
	return nil
}

// complete completes the open parts.
func (s *Spool) complete() error {
	if s.broken != nil {
		return s.broken
	}
	if err := s.finish(); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Spool) fail(err error) error {
	s.broken = fmt.Errorf("write a part of %s: %w", s.t.path, s.h.blame(err))
	return s.broken
}

// Bytes is about how large the spool's parts are.
func (s *Spool) Bytes() int64 {
	var n int64
	for _, p := range s.parts {
		n += p.bytes()
	}
	return n
}

// Abort gives the delivery up. It is always safe: once a batch has taken the spool it does nothing.
func (s *Spool) Abort() {
	if s.taken {
		return
	}
	s.remove()
	s.broken = errors.New("spool is aborted")
}

func (s *Spool) remove() {
	for _, p := range s.parts {
		s.t.warn(p.remove())
	}
}

// AddSpool makes a complete delivery part of the batch, which from then on owns it. After an error the spool is the
// caller's to abort, and the batch is as it was. ErrGone: the table was made anew, or got another element type, since
// one of the two was begun.
func (b *Batch) AddSpool(s *Spool) error {
	if s.taken {
		return errors.New("spool belongs to a batch")
	}
	if err := s.complete(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.h != b.h {
		return fmt.Errorf("%w: %s", ErrGone, b.t.path)
	}
	if s.kind != b.kind {
		return fmt.Errorf("%w: its embeddings were %s, and are %s now", ErrGone, s.kind, b.kind)
	}
	d, err := b.register(s.key)
	if err != nil {
		return err
	}
	d.spool, d.errors, d.vectors, s.taken = s, s.errors, s.vectors, true
	return nil
}
