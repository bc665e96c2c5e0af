package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"textmill/export/delta"
	"textmill/export/part"
)

// swap is a commit on its way that takes files out of a table and puts others in. What it is made of was true at the
// version seen: before it is published each later entry is examined, and whoever was faster in between makes it try
// again.
type swap struct {
	Rewrite
	t          *Table
	h          *handle
	dataChange bool // the rows are others than before
	merges     bool // what is put are the rows of the files that go
	choose     chooses

	id      string               // of the table
	seen    int64                // the version up to which the log was examined
	base    terms                // as of the beginning
	rebinds bool                 // the table gets vectors of another kind
	live    map[string]delta.Add // at the beginning, of a Rewrite
	touched map[string]*touched  // by path: files that go
	put     []*partFile          // parts that come
	told    int64
	named   atomic.Bool // the log names, or may name, the parts
	result  Rewritten
}

// chooses tells which rows of a table go. It may look for a share of them at a time, in one pass over the files each.
type chooses interface {
	none() bool // no row of any file
	shares() uint64
	load(ctx context.Context, share uint64) error
	mayHold(f *examined, by Partitioning) bool
	read(ctx context.Context, src *part.Source, each func(row int64, l *part.Label) error) error
	means(l *part.Label) bool
	looked(ctx context.Context) error // all files were looked into for the share that is loaded
}

// touched is a file of which rows are taken.
type touched struct {
	add    delta.Add
	rows   int64
	taken  int64
	rowSet           // that are taken
	next   *partFile // what stays of it; nil when it is still to be written, or nothing stays
}

func (f *touched) mark(row int64) {
	if !f.has(row) {
		f.rowSet.mark(row)
		f.taken++
	}
}

// parts are all that the commit adds.
func (s *swap) parts() []*partFile {
	all := slices.Clone(s.put)
	for _, path := range slices.Sorted(maps.Keys(s.touched)) {
		if f := s.touched[path]; f.next != nil {
			all = append(all, f.next)
		}
	}
	return all
}

// sum counts what the commit brings.
func (s *swap) sum() {
	r := Rewritten{Version: s.result.Version}
	for _, f := range s.touched {
		r.Taken += f.taken
		r.Kept += f.rows - f.taken
		r.Bytes += f.add.Size
		r.Removed++
	}
	for _, p := range s.put {
		r.Put += p.rows
	}
	r.Added = len(s.parts())
	s.result = r
}

// errMoved says that the log went on since the swap was made.
var errMoved = errors.New("the log went on")

// commit places the parts and publishes the entry.
func (s *swap) commit(ctx context.Context) error {
	for {
		if err := s.h.placeAll(s.parts(), s.t.now()); err != nil {
			return s.t.blame(s.h, err)
		}
		s.t.store.o.Point("rewrite-placed")
		version, err := s.t.commit(ctx, s.h, change{
			operation: s.Operation, decide: s.decide, parts: s.adds, always: len(s.put) > 0,
			maybe: func() { s.named.Store(true) },
		})
		if err == nil {
			s.named.Store(true)
			s.t.store.o.Point("rewrite-published")
			s.result.Version = version
			s.sum()
			return nil
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := s.examine(ctx, s.h.version()); err != nil {
			return err
		}
		if err := s.writeTouched(ctx); err != nil {
			return err
		}
	}
}

// decide needs h.mu.
func (s *swap) decide() ([]delta.Action, error) {
	h := s.h
	if h.snap.Version != s.seen {
		return nil, errMoved
	}
	if s.rebinds && h.terms.vectors != s.base.vectors {
		return nil, s.conflict(s.seen, "it holds %s now", h.terms.vectors)
	}
	for key, want := range s.Expect {
		if got := h.snap.Metadata.Configuration[key]; got != want {
			return nil, s.conflict(s.seen, "%s is %q, and was %q", key, got, want)
		}
	}
	var actions []delta.Action
	now := s.t.store.o.Now().UnixMilli()
	for _, txn := range s.Txns {
		txn.LastUpdated = &now
		actions = append(actions, delta.Action{Txn: &txn})
	}
	meta, err := s.metadata()
	if err != nil {
		return nil, err
	}
	if meta != nil {
		actions = append(actions, delta.Action{Metadata: meta})
	}
	return append(actions, s.removes(now)...), nil
}

// removes names the files that go.
func (s *swap) removes(now int64) (out []delta.Action) {
	extended := true
	for _, path := range slices.Sorted(maps.Keys(s.touched)) {
		a := s.touched[path].add
		out = append(out, delta.Action{Remove: &delta.Remove{
			Path: a.Path, DeletionTimestamp: &now, DataChange: s.dataChange, ExtendedFileMetadata: &extended,
			PartitionValues: partitionOf(a.PartitionValues), Size: &a.Size,
		}})
	}
	return out
}

func partitionOf(values map[string]*string) map[string]*string {
	if values == nil {
		return map[string]*string{}
	}
	return values
}

// metadata is the table's with the properties that the commit sets; nil where they are as they should be. It needs
// h.mu.
func (s *swap) metadata() (*delta.Metadata, error) {
	m := s.h.snap.Metadata
	properties := maps.Clone(m.Configuration)
	if properties == nil {
		properties = map[string]string{}
	}
	for key, value := range s.Properties {
		properties[key] = value
		if value == "" {
			delete(properties, key)
		}
	}
	if s.Vectors != (Vectors{}) && s.Put != nil {
		bind := s.rebinds
		if !s.rebinds {
			var err error
			if bind, err = s.h.terms.fits(s.Vectors, s.h.held); err != nil {
				return nil, err
			}
		}
		if bind {
			properties[vectorsKey] = s.Vectors.Property()
		}
	}
	if kind := s.kind(); s.Put != nil && (kind != s.h.terms.kind || s.h.terms.lacks) {
		var err error
		if m.SchemaString, err = part.Evolved(m.SchemaString, kind); err != nil {
			return nil, err
		}
	}
	if maps.Equal(properties, m.Configuration) && m.SchemaString == s.h.snap.Metadata.SchemaString {
		return nil, nil
	}
	m.Configuration = properties
	return &m, nil
}

// adds names the parts, once they are in their place.
func (s *swap) adds() ([]delta.Action, error) {
	var out []delta.Action
	for _, p := range s.parts() {
		if p.rows == 0 {
			continue
		}
		if err := errors.Join(p.stillThere(s.t.now()), p.stage.held()); err != nil {
			return nil, err
		}
		a := p.add()
		a.DataChange = s.dataChange
		out = append(out, delta.Action{Add: a})
	}
	return out, nil
}

func (s *swap) conflict(version int64, format string, args ...any) error {
	return fmt.Errorf("%w: dataset %s, version %d: %s", ErrConflict, s.t.name, version, fmt.Sprintf(format, args...))
}

// abort gives up what the log does not name. It is always safe.
func (s *swap) abort() {
	if s.named.Load() {
		return
	}
	for _, p := range s.parts() {
		s.t.warn(p.remove())
	}
}
