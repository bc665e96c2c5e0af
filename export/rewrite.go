package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"textmill/export/delta"
	"textmill/export/part"
)

// Txn is an action that any writer of Delta tables may leave in the log: the latest version of an application's.
type Txn = delta.Txn

// Rewrite is one commit that takes rows out of a table, puts others in, or both: a reader sees all of it or nothing.
// Files that hold rows to be taken are written again without them; the log goes on knowing each delivery.
type Rewrite struct {
	Operation string // as the log has it: DELETE, MERGE
	Take      Selection
	// Extend has rows taken too that others brought or moved meanwhile. Else, where a newer file holds some, or rows of
	// ours were changed, the rewrite is ErrConflict.
	Extend bool
	// Put gives the rows that come in, some at a time; it is called once. nil: none.
	Put     func(ctx context.Context, put func([]Row) error) error
	Vectors Vectors // of the rows put. Where the table holds others, none of those may be left.
	Txns    []Txn
	// Expect is what properties of the table must be when it is committed, "" for absent; else it is ErrConflict.
	Expect     map[string]string
	Properties map[string]string // set by the commit; "" takes one away
	DryRun     bool              // count what would be taken, and change nothing
	Progress   func(RewriteProgress)
}

// RewriteProgress is how far a rewrite is: files looked into of how many, then files written again of how many.
type RewriteProgress struct {
	Stage       string // "look", "write"
	Done, Files int
	Rows        int64 // found, or written
}

// Rewritten is what a rewrite came to.
type Rewritten struct {
	Version int64 // of the commit; of the table as it was looked at where there was nothing to do, or in a dry run
	Taken   int64 // rows
	Put     int64 // rows
	Removed int   // files that are no longer the table's
	Added   int   // files that are now
	Kept    int64 // rows that were written again
	Bytes   int64 // of the files removed
}

// Rewrite changes what rows the table holds. It waits for files, but holds no lock while it does that anybody who
// fetches or commits rows waits for. A table that does not exist is os.ErrNotExist, unless rows are put.
func (t *Table) Rewrite(ctx context.Context, r Rewrite) (Rewritten, error) {
	s, err := t.openSwap(ctx, r)
	if err == nil {
		defer s.abort()
		err = s.run(ctx)
	}
	if err != nil {
		return Rewritten{}, fmt.Errorf("rewrite %s: %w", t.path, err)
	}
	return s.result, nil
}

// openSwap looks at the table as it is now.
func (t *Table) openSwap(ctx context.Context, r Rewrite) (*swap, error) {
	h, err := t.newest(ctx)
	if err != nil {
		return nil, err
	}
	if h == nil && r.Put == nil {
		return nil, fmt.Errorf("there is no table: %w", os.ErrNotExist)
	}
	if h, err = t.ensure(ctx, r.Vectors.Kind()); err != nil {
		return nil, err
	}
	if r.Vectors != (Vectors{}) {
		if err := t.hold(ctx, h); err != nil {
			return nil, err
		}
	}
	s := &swap{t: t, h: h, Rewrite: r, dataChange: true, touched: map[string]*touched{}}
	if s.choose, err = newChooser(r.Take); err != nil {
		return nil, err
	}
	return s, s.load(ctx)
}

// load reads which files the table has.
func (s *swap) load(ctx context.Context) error {
	snap, live, err := loadLive(ctx, s.h.log)
	if err != nil {
		return err
	}
	s.live = live
	return s.begin(snap)
}

// begin takes in the state of the table that is looked at.
func (s *swap) begin(snap *delta.Snapshot) error {
	s.seen, s.id, s.base = snap.Version, snap.Metadata.ID, termsOf(s.h.dir.Path(), snap)
	s.rebinds = s.Vectors != (Vectors{}) && s.base.vectors != (Vectors{}) && s.base.vectors != s.Vectors
	return s.base.refused
}

// run finds the rows that are meant, writes what stays of their files and what is put, and commits it.
func (s *swap) run(ctx context.Context) error {
	o := &s.t.store.o
	if err := s.look(ctx, examinedFiles(s.live)); err != nil {
		return err
	}
	o.Point("rewrite-found")
	s.result.Version = s.seen
	if s.DryRun {
		s.sum()
		return nil
	}
	if err := s.putAll(ctx); err != nil {
		return err
	}
	if err := s.writeTouched(ctx); err != nil {
		return err
	}
	o.Point("rewrite-written")
	return s.commit(ctx)
}

// putAll writes the rows that come in.
func (s *swap) putAll(ctx context.Context) error {
	if s.Put == nil {
		return nil
	}
	kind := s.kind()
	if err := s.base.accepts(kind); err != nil && !s.rebinds {
		return err
	}
	w := parter{h: s.h, o: s.t.store.o, kind: kind, by: s.base.by}
	err := s.Put(ctx, w.write)
	if err == nil {
		err = w.finish()
	}
	s.put = append(s.put, w.parts...)
	if err != nil {
		return fmt.Errorf("write what is put: %w", s.h.blame(err))
	}
	return nil
}

// kind is that of the rows put: the table's where they have no vectors.
func (s *swap) kind() EmbeddingKind {
	if kind := s.Vectors.Kind(); kind != EmbeddingAny {
		return kind
	}
	return s.base.kind
}

// writeTouched writes again what stays of the files that hold rows to be taken.
func (s *swap) writeTouched(ctx context.Context) error {
	if s.merges {
		return nil
	}
	paths := slices.Sorted(maps.Keys(s.touched))
	for i, path := range paths {
		f := s.touched[path]
		if f.next != nil || f.taken == f.rows {
			continue
		}
		if err := s.rewriteFile(ctx, f); err != nil {
			return fmt.Errorf("write %s again: %w", path, s.h.blame(err))
		}
		s.tell("write", i+1, len(paths), f.rows-f.taken)
		s.t.store.o.Point("rewrite-file")
	}
	return nil
}

// rewriteFile writes the rows of a file that are not taken to a new one.
func (s *swap) rewriteFile(ctx context.Context, f *touched) error {
	return s.open(f.add, func(src *part.Source) error {
		if src.Rows() != f.rows {
			return fmt.Errorf("%w: it has %d rows, and had %d", part.ErrDamaged, src.Rows(), f.rows)
		}
		next, err := s.h.copyPart(s.t.store.o, src, f.add.PartitionValues)
		if err != nil {
			return err
		}
		copied := next.copied()
		err = copied.Take(ctx, src, func(row int64) bool { return !f.has(row) })
		if err == nil {
			err = next.finish()
		}
		if err == nil {
			err = next.holds(ctx, copied.Sum())
		}
		if err == nil && next.rows != f.rows-f.taken {
			err = fmt.Errorf("%w: %d of %d rows stay, %d were written", part.ErrDamaged, f.rows-f.taken, f.rows, next.rows)
		}
		if err != nil {
			return errors.Join(err, next.remove())
		}
		f.next = next
		return nil
	})
}

func (s *swap) tell(stage string, done, files int, rows int64) {
	s.told += rows
	if s.Progress != nil {
		s.Progress(RewriteProgress{Stage: stage, Done: done, Files: files, Rows: s.told})
	}
}
