package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"textmill/export/delta"
	"textmill/export/parquetin"
)

// A Watch keeps what the log of a table tells, for who looks at it again and again: only entries that came since are
// read. Between looks it has nothing open. Its methods are safe for concurrent use; one looks at a time.
type Watch struct {
	uri    string
	turn   chan struct{}
	snap   *delta.Snapshot // nil before the first look
	adds   map[string]delta.Add
	in     *Inspection
	recent []Commit // newest first
}

// NewWatch looks at nothing yet.
func NewWatch(uri string) *Watch { return &Watch{uri: uri, turn: make(chan struct{}, 1)} }

// recentCommits is how many of a log's newest entries a Watch keeps in short.
const recentCommits = 12

// Look is the table as it is now, and its newest commits, newest first. Deliveries are not counted. The caller closes
// the Reading; what it was given stays as it is while others look.
func (w *Watch) Look(ctx context.Context) (*Reading, []Commit, error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	v, err := unreadView(w.uri)
	if err != nil {
		return nil, nil, err
	}
	if err := w.look(ctx, v); err != nil {
		v.close()
		return nil, nil, fmt.Errorf("read the log of %s: %w", v.dir.Path(), err)
	}
	return &Reading{w.in, v}, w.recent, nil
}

// look brings what is kept up to date; on an error it stays as it was.
func (w *Watch) look(ctx context.Context, v *view) error {
	err := w.follow(ctx, v)
	if w.snap == nil || delta.IsStale(err) {
		v.snap, err = v.log.Load(ctx, func() delta.Sink {
			v.adds = map[string]delta.Add{}
			return liveFiles(v.adds)
		})
	}
	if err != nil {
		return err
	}
	same := w.in != nil && w.in.ID == v.snap.Metadata.ID && w.in.Version == v.snap.Version
	if same {
		w.snap = v.snap
		return nil
	}
	in, err := v.inspect()
	if err != nil {
		return err
	}
	recent, err := w.commits(ctx, v)
	if err != nil {
		return err
	}
	w.snap, w.adds, w.in, w.recent = v.snap, v.adds, in, recent
	return nil
}

// follow reads the entries that came since.
func (w *Watch) follow(ctx context.Context, v *view) error {
	if w.snap == nil {
		return nil
	}
	snap, own := *w.snap, false
	v.snap, v.adds = &snap, w.adds
	change := func() {
		if !own { // who looked before goes on reading the other
			v.adds, own = maps.Clone(v.adds), true
		}
	}
	return v.log.Refresh(ctx, v.snap, delta.Sink{
		Add:    func(a delta.Add) { change(); v.adds[a.Path] = a },
		Remove: func(r delta.Remove) { change(); delete(v.adds, r.Path) },
	}, func(take func()) { take() })
}

// commits are the newest entries; those that are known already are not read again.
func (w *Watch) commits(ctx context.Context, v *view) ([]Commit, error) {
	known := map[int64]Commit{}
	if w.in != nil && w.in.ID == v.snap.Metadata.ID {
		for _, c := range w.recent {
			known[c.Version] = c
		}
	}
	var out []Commit
	for version := v.snap.Version; version >= 0 && len(out) < recentCommits; version-- {
		c, is := known[version]
		if !is {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			e, _, err := v.log.Read(version)
			if errors.Is(err, os.ErrNotExist) { // cleaned away
				break
			}
			if err != nil {
				return nil, err
			}
			c = summaryOf(version, e)
		}
		out = append(out, c)
	}
	return out, nil
}

// Rows calls each with the rows of one of the table's files in their order, some at a time. What it gets is valid only
// during the call.
func (r *Reading) Rows(ctx context.Context, f LiveFile, each func([]Row) error) error {
	return r.v.rows(ctx, f, each)
}

// Partition is the values of the columns by which the table is partitioned that all rows of a file have, as NAME=VALUE
// in the order of the columns; null is the empty value.
func (in *Inspection) Partition(f LiveFile) []string {
	var all []string
	for _, column := range in.By.columns() {
		value := ""
		if v := f.partition[column]; v != nil {
			value = *v
		}
		all = append(all, column+"="+value)
	}
	return slices.Clip(all)
}

// Cells calls each with some plain columns of the rows of one of the table's files; a row is that of the call before.
func (r *Reading) Cells(ctx context.Context, f LiveFile, names []string, each func([]parquetin.Value) error) error {
	return r.v.readCells(ctx, f, names, each)
}
