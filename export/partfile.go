package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/part"
)

// partFile is one part on its way into the table: open, finished (complete and durable under a temporary name), then
// placed (under its final name).
type partFile struct {
	h        *handle
	stage    *stage // where it is made
	kind     EmbeddingKind
	temp     string
	name     string // in the table
	folder   string // where that is
	file     *disk.File
	w        partWriter
	finished bool
	placed   bool
	placedAt time.Time
	durable  bool // under its final name
	gone     bool
	failed   error
	rows     int64
	size     int64
	modified int64
	stats    string

	partition map[string]*string // values of the table's partition columns
	unnamed   rowSet             // see Row
	left      rowSet             // rows that are not to be committed
}

// partWriter writes the rows of a part, or copies them from others.
type partWriter interface {
	Bytes() int64
	Rows() int64
	Stats() string
	Close() error
}

func (h *handle) newPart(o Options, kind EmbeddingKind, partition map[string]*string) (*partFile, error) {
	return h.makePart(o, kind, partition, func(f *disk.File, o part.Options) (partWriter, error) {
		return part.New(f, o)
	})
}

// copyPart starts a part for rows of others that are of one shape and one partition.
func (h *handle) copyPart(o Options, like *part.Source, partition map[string]*string) (*partFile, error) {
	return h.makePart(o, EmbeddingAny, partition, func(f *disk.File, o part.Options) (partWriter, error) {
		return part.NewCopy(f, like, o)
	})
}

func (h *handle) makePart(o Options, kind EmbeddingKind, partition map[string]*string,
	writer func(*disk.File, part.Options) (partWriter, error)) (*partFile, error) {
	s, l := h.stage(), h.layout()
	p := &partFile{h: h, stage: s, kind: kind, temp: s.tempName(), folder: l.folder(partition), partition: partition}
	p.name = path.Join(p.folder, s.partName())
	var err error
	if p.file, err = s.dir.Create(p.temp); err != nil {
		return nil, err
	}
	if p.w, err = writer(p.file, part.Options{Kind: kind, RowGroupBytes: o.RowGroupBytes, Metadata: o.Metadata,
		Constants: l.by.constants(partition)}); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

// write appends rows that part.CheckRows took.
func (p *partFile) write(rows []Row) error {
	for i := range rows {
		if rows[i].Unnamed {
			p.unnamed.mark(p.w.Rows() + int64(i))
		}
	}
	return p.w.(*part.Writer).WriteChecked(rows)
}

func (p *partFile) copied() *part.Copy { return p.w.(*part.Copy) }

// held is about how many bytes of rows it has in memory.
func (p *partFile) held() int64 {
	if p.finished {
		return 0
	}
	return p.w.(*part.Writer).Held()
}

func (p *partFile) bytes() int64 {
	if p.finished {
		return p.size
	}
	return p.w.Bytes()
}

// finish completes the file, makes it durable and reads its footer back. A failure is final: what the kernel still
// holds of a file whose fsync failed is unknown, so the part is not tried again.
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
	st, err := p.stage.dir.Stat(p.temp)
	if err != nil {
		return err
	}
	p.size, p.modified = st.Size, st.ModTime.UnixMilli()
	if p.kind == EmbeddingAny {
		return p.checkCopy()
	}
	return p.read(func(r *part.Reader) error {
		if f := r.Footer(); f.Rows != p.rows || f.Kind != p.kind {
			return fmt.Errorf("%w: the footer tells %d rows of %s, written were %d of %s", part.ErrDamaged, f.Rows, f.Kind,
				p.rows, p.kind)
		}
		return nil
	})
}

// checkCopy reads the footer of a finished copy back.
func (p *partFile) checkCopy() error {
	return p.source(func(s *part.Source) error {
		if s.Rows() != p.rows {
			return fmt.Errorf("%w: the footer tells %d rows, copied were %d", part.ErrDamaged, s.Rows(), p.rows)
		}
		return nil
	})
}

// source opens the finished part as one of whatever columns.
func (p *partFile) source(use func(*part.Source) error) error {
	f, err := p.open()
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := part.OpenSource(f, p.size)
	if err == nil {
		err = use(s)
	}
	if err != nil {
		return fmt.Errorf("read back part %s: %w", p.name, err)
	}
	return nil
}

// holds makes sure that a finished copy, read back, has the rows of a sum.
func (p *partFile) holds(ctx context.Context, want part.Sum) error {
	return p.source(func(s *part.Source) error {
		has := want.Empty()
		if err := s.Add(ctx, &has); err != nil {
			return err
		}
		if has != want {
			return fmt.Errorf("%w: it does not hold the rows that were copied into it", part.ErrDamaged)
		}
		return nil
	})
}

// read opens the finished part under whichever name it has.
func (p *partFile) read(use func(*part.Reader) error) error {
	f, err := p.open()
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

func (p *partFile) open() (interface {
	io.ReaderAt
	io.Closer
}, error) {
	if p.placed {
		return p.h.dir.Open(p.name)
	}
	return p.stage.dir.Open(p.temp)
}

// stillThere guards against a placed part that a sweep has taken, or may take: see partAge.
func (p *partFile) stillThere(now time.Time) error {
	if p.h.dir.Remote() && now.Sub(p.placedAt) > partAge {
		return fmt.Errorf("%w: part %s lies uncommitted since %s", ErrStorage, p.name, p.placedAt.Format(time.RFC3339))
	}
	_, err := p.h.dir.Stat(p.name)
	return err
}

func (p *partFile) add() *delta.Add {
	return &delta.Add{
		Path: pathOf(p.name), PartitionValues: partitionOf(p.partition), Size: p.size, ModificationTime: p.modified,
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

// only writes a new, finished part of the rows that keep wants, which is asked of each in order.
func (p *partFile) only(ctx context.Context, o Options, keep func(at int64, r *Row) bool) (*partFile, error) {
	next, err := p.h.newPart(o, p.kind, p.partition)
	if err != nil {
		return nil, err
	}
	var at int64
	err = p.read(func(r *part.Reader) error {
		return r.Rows(ctx, func(rows []Row) error {
			kept := rows[:0]
			for i := range rows {
				if keep(at, &rows[i]) {
					rows[i].Unnamed = p.unnamed.has(at)
					kept = append(kept, rows[i])
				}
				at++
			}
			if len(kept) == 0 {
				return nil
			}
			if err := part.CheckRows(kept, p.kind); err != nil {
				return err
			}
			return next.write(kept)
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
