package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/part"
)

// partFile is one part on its way into the table: open, finished (complete and durable under a temporary name), then placed
// (under its final name).
type partFile struct {
	h        *handle
	kind     EmbeddingKind
	temp     string
	name     string
	file     *disk.File
	w        *part.Writer
	finished bool
	placed   bool
	gone     bool
	failed   error
	rows     int64
	size     int64
	modified int64
	stats    string
}

func (h *handle) newPart(o Options, kind EmbeddingKind) (*partFile, error) {
	p := &partFile{h: h, kind: kind, temp: h.tempName(), name: h.partName()}
	var err error
	if p.file, err = h.aux.Create(p.temp); err != nil {
		return nil, err
	}
	p.w, err = part.New(p.file, part.Options{Kind: kind, RowGroupBytes: o.RowGroupBytes, Metadata: o.Metadata})
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

func (p *partFile) write(rows []Row) error { return p.w.Write(rows) }

func (p *partFile) bytes() int64 {
	if p.finished {
		return p.size
	}
	return p.w.Bytes()
}

// finish completes the file, makes it durable and reads its footer back. A failure is final: what the kernel still holds of
// a file whose fsync failed is unknown, so the part is not tried again.
func (p *partFile) finish() error {
	if p.finished || p.failed != nil {
		return p.failed
	}
	p.failed = p.complete()
	p.finished = p.failed == nil
	return p.failed
}

func (p *partFile) complete() error {
	if err := p.w.Close(); err != nil {
		return fmt.Errorf("write the footer of part %s: %w", p.name, err)
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	p.rows, p.stats = p.w.Rows(), p.w.Stats()
	p.w = nil // its buffers are a row group's worth
	st, err := p.h.aux.Stat(p.temp)
	if err != nil {
		return err
	}
	p.size, p.modified = st.Size, st.ModTime.UnixMilli()
	return p.read(func(r *part.Reader) error {
		if f := r.Footer(); f.Rows != p.rows || f.Kind != p.kind {
			return fmt.Errorf("%w: the footer tells %d rows of %s, written were %d of %s", part.ErrDamaged, f.Rows, f.Kind, p.rows, p.kind)
		}
		return nil
	})
}

// read opens the finished part under whichever name it has.
func (p *partFile) read(use func(*part.Reader) error) error {
	dir, name := p.h.aux, p.temp
	if p.placed {
		dir, name = p.h.dir, p.name
	}
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := part.Open(f, p.size)
	if err == nil {
		err = use(r)
	}
	if err != nil {
		return fmt.Errorf("read back part %s: %w", p.name, err)
	}
	return nil
}

// place gives the finished part its final name, which the caller makes durable by syncing the table's directory.
func (p *partFile) place() error {
	if p.placed {
		_, err := p.h.dir.Stat(p.name)
		return err
	}
	if err := p.h.aux.Rename(p.temp, p.h.dir, p.name); err != nil {
		return err
	}
	p.placed = true
	return nil
}

func (p *partFile) add(now int64) *delta.Add {
	return &delta.Add{
		Path: p.name, PartitionValues: map[string]*string{}, Size: p.size, ModificationTime: p.modified,
		DataChange: true, Stats: &p.stats,
	}
}

// remove gives the part up.
func (p *partFile) remove() error {
	if p.gone {
		return nil
	}
	p.gone = true
	if p.placed {
		return p.h.dir.Unlink(p.name)
	}
	err := p.file.Remove()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// without writes a new, finished part of the kept deliveries' rows.
func (p *partFile) without(o Options, keep []*delivery) (*partFile, error) {
	next, err := p.h.newPart(o, p.kind)
	if err != nil {
		return nil, err
	}
	var at int64
	i := 0
	err = p.read(func(r *part.Reader) error {
		return r.Rows(context.Background(), func(rows []Row) error {
			for len(rows) > 0 && i < len(keep) {
				d := keep[i]
				if d.to <= at { // empty or passed
					i++
					continue
				}
				if skip := d.from - at; skip > 0 {
					skip = min(skip, int64(len(rows)))
					rows, at = rows[skip:], at+skip
					continue
				}
				n := min(d.to-at, int64(len(rows)))
				if err := next.write(rows[:n]); err != nil {
					return err
				}
				rows, at = rows[n:], at+n
			}
			at += int64(len(rows))
			return nil
		})
	})
	if err == nil {
		err = next.finish()
	}
	if err != nil {
		return nil, errors.Join(err, next.remove())
	}
	return next, nil
}

// Spool takes the rows of one big delivery as they come, into parts of its own. It is used by one goroutine at a time.
type Spool struct {
	b        *Batch
	d        *delivery
	cur      *partFile
	parts    []*partFile
	size     atomic.Int64
	complete bool
	broken   error
}

// Spool starts a delivery that is too big to be held whole. Close says that all its rows are there; a batch with a spool
// that is not closed cannot be committed.
func (b *Batch) Spool(k Key) (*Spool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, err := b.register(k)
	if err != nil {
		return nil, err
	}
	d.spool = &Spool{b: b, d: d}
	return d.spool, nil
}

// Append writes further rows. ErrRow leaves the spool as it was; after any other error it can only be aborted.
func (s *Spool) Append(rows []Row) error {
	switch {
	case s.broken != nil:
		return s.broken
	case s.complete:
		return errors.New("spool is closed")
	case len(rows) == 0:
		return nil
	}
	o := s.b.t.store.o
	if s.cur == nil {
		p, err := s.b.h.newPart(o, s.b.kind)
		if err != nil {
			return s.fail(err)
		}
		s.cur, s.parts = p, append(s.parts, p)
	}
	before := s.cur.bytes()
	if err := s.cur.write(rows); err != nil {
		if errors.Is(err, ErrRow) {
			return err
		}
		return s.fail(err)
	}
	s.d.errors += countErrors(rows)
	s.size.Add(s.cur.bytes() - before)
	if s.cur.bytes() >= o.PartBytes {
		if err := s.cur.finish(); err != nil {
			return s.fail(err)
		}
		s.cur = nil
	}
	return nil
}

func (s *Spool) fail(err error) error {
	s.broken = fmt.Errorf("write a part of %s: %w", s.b.t.path, err)
	return s.broken
}

// Close says that the delivery is complete, and makes its rows durable.
func (s *Spool) Close() error {
	if s.broken != nil {
		return s.broken
	}
	if s.cur != nil && !s.complete {
		if err := s.cur.finish(); err != nil {
			return s.fail(err)
		}
		s.cur = nil
	}
	s.complete = true
	return nil
}

// Abort takes the delivery out of the batch and removes its parts; a no-op after the batch's end.
func (s *Spool) Abort() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.ended || s.b.keys[s.d.key.AppID] != s.d {
		return
	}
	s.b.drop(s.d)
	s.remove()
	s.broken = errors.New("spool is aborted")
}

// remove needs the batch's mutex.
func (s *Spool) remove() {
	for _, p := range s.parts {
		s.b.warn(p.remove())
	}
}
