package export

import (
	"context"
	"errors"
	"fmt"
	"os"

	"textmill/export/delta"
	"textmill/export/part"
	"textmill/export/storage"
)

// open hands what an add names to use.
func (s *swap) open(a delta.Add, use func(*part.Source) error) error {
	f, err := liveFile(s.h.dir.Path(), a)
	if err != nil {
		return err
	}
	return openLive(s.h.dir, f, func(file storage.File, size int64) error {
		src, err := part.OpenSource(file, size)
		if err != nil {
			return err
		}
		return use(src)
	})
}

// look finds the rows that are meant in files of the table, once for each share of the records, and remembers which
// they are.
func (s *swap) look(ctx context.Context, files []*examined) error {
	for pass := range s.choose.shares() {
		if err := s.choose.load(ctx, pass); err != nil {
			return err
		}
		for i, f := range files {
			if err := s.lookInto(ctx, f); err != nil {
				return err
			}
			s.tell("look", i+1+int(pass)*len(files), len(files)*int(s.choose.shares()), 0)
		}
		if err := s.choose.looked(ctx); err != nil {
			return err
		}
	}
	if !s.rebinds {
		return nil
	}
	for _, f := range files {
		if err := s.refuseKept(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// lookInto marks the rows of a file that are meant.
func (s *swap) lookInto(ctx context.Context, e *examined) error {
	if !s.choose.mayHold(e, s.base.by) {
		return nil
	}
	a := e.Add
	return s.open(a, func(src *part.Source) error {
		f := s.touched[a.Path]
		return s.choose.read(ctx, src, func(row int64, l *part.Label) error {
			l.Fill(a.PartitionValues)
			if !s.choose.means(l) {
				return nil
			}
			if f == nil {
				f = &touched{add: a, rows: src.Rows()}
				s.touched[a.Path] = f
			}
			f.mark(row)
			return nil
		})
	})
}

// refuseKept is ErrSchema where a file keeps rows that do not go with the vectors that the table is to hold.
func (s *swap) refuseKept(ctx context.Context, e *examined) error {
	a, f := e.Add, s.touched[e.Path]
	if f != nil && f.taken == f.rows {
		return nil
	}
	otherKind := s.Vectors.Kind() != s.base.kind
	if f == nil && !otherKind && withoutVectors(&e.stats) {
		return nil
	}
	return s.open(a, func(src *part.Source) error {
		return src.Labels(ctx, false, func(row int64, l *part.Label) error {
			if f != nil && f.has(row) || !l.Vector && !otherKind {
				return nil
			}
			return fmt.Errorf("%w: the table holds %s and is to hold %s, but record %q of task %q would stay", ErrSchema,
				s.base.vectors, s.Vectors, l.RecordID, l.Task)
		})
	})
}

func withoutVectors(s *fileStats) bool {
	return s.NumRecords != nil && s.NullCount.Dim != nil && *s.NumRecords == *s.NullCount.Dim
}

// examine takes in the entries after the one seen, up to another: who brought rows that are meant, or changed files
// that go.
func (s *swap) examine(ctx context.Context, to int64) error {
	if id, _ := s.h.identity(); id != s.id {
		return fmt.Errorf("%w: %s", ErrGone, s.t.path)
	}
	for s.seen < to {
		v := s.seen + 1
		e, _, err := s.h.log.Read(v)
		if errors.Is(err, os.ErrNotExist) {
			return s.conflict(v, "its entry was cleaned away")
		}
		if err != nil {
			return err
		}
		if err := s.take(ctx, v, e); err != nil {
			return err
		}
		s.seen = v
	}
	return nil
}

// take takes in one entry.
func (s *swap) take(ctx context.Context, v int64, e *delta.Entry) error {
	for _, r := range e.Removes {
		f := s.touched[r.Path]
		if f == nil {
			continue
		}
		if s.choose.none() || r.DataChange && !s.Extend {
			return s.conflict(v, "%s was removed, whose rows are to be rewritten", r.Path)
		}
		if f.next != nil {
			s.t.warn(f.next.remove())
		}
		delete(s.touched, r.Path)
	}
	var files []*examined
	for _, a := range e.Adds {
		files = append(files, examinedFile(a))
	}
	if s.choose.none() && !s.rebinds {
		return nil
	}
	if err := s.look(ctx, files); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return s.conflict(v, "what it added is gone: %v", err)
		}
		return err
	}
	for _, a := range e.Adds {
		if f := s.touched[a.Path]; f != nil && a.DataChange && !s.Extend {
			return s.conflict(v, "%s brings %d rows of records that are to be rewritten", a.Path, f.taken)
		}
	}
	return nil
}
