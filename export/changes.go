package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"textmill/export/delta"
	"textmill/export/storage"
)

// ErrForgotten says that a table no longer tells what happened since a version: its log or its files were cleaned.
var ErrForgotten = errors.New("the table no longer tells what changed")

// Changes is what somebody who holds a version of a table, or one after it, takes in and takes back to hold what the
// table holds now: all rows of Added, and no row of Removed whose key none of Added has. It may be done twice.
type Changes struct {
	*Inspection
	Since   int64 // -1: from nothing, and Added is every live file
	Added   []LiveFile
	Removed []LiveFile // no longer live; only Path, Size and what reading needs are known
	Mixed   string     // what unlike vectors there are, "" for none
}

// ChangesSince reads the log of the table at a path or URI once; since -1 is from nothing. ErrForgotten: only the
// whole table can be had.
func ChangesSince(ctx context.Context, uri string, since int64) (*Changes, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer v.close()
	in, err := v.inspect()
	if err != nil {
		return nil, err
	}
	c := &Changes{Inspection: in, Since: max(since, -1), Added: in.Files}
	if in.Vectors == (Vectors{}) {
		found, err := v.holds(ctx)
		if err != nil {
			return nil, fmt.Errorf("look what vectors %s holds: %w", in.Path, err)
		}
		in.Vectors, c.Mixed = found.vectors, found.mixed
	}
	if since < 0 {
		return c, nil
	}
	if since > in.Version {
		return nil, fmt.Errorf("%w: %s is at version %d, not yet at %d; was it made anew?", ErrForgotten, in.Path,
			in.Version, since)
	}
	var d difference
	for n := since + 1; n <= in.Version; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, _, err := v.log.Read(n)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: %s has no log entry %d any more", ErrForgotten, in.Path, n)
		}
		if err != nil {
			return nil, err
		}
		d.take(e)
	}
	return c, c.name(v, &d)
}

// difference is what entries of a log come to, one after the other.
type difference struct {
	fresh map[string]bool      // live files that a reader of before lacks
	gone  map[string]delta.Add // files that such a reader, or a later one, may hold
}

// take leaves out what only moves rows that the reader holds already, as compaction does.
func (d *difference) take(e *delta.Entry) {
	if d.fresh == nil {
		d.fresh, d.gone = map[string]bool{}, map[string]delta.Add{}
	}
	moved := !slices.ContainsFunc(e.Adds, func(a delta.Add) bool { return a.DataChange }) &&
		!slices.ContainsFunc(e.Removes, func(r delta.Remove) bool { return r.DataChange || d.fresh[r.Path] })
	for _, r := range e.Removes {
		delete(d.fresh, r.Path)
		if !moved {
			d.gone[r.Path] = delta.Add{Path: r.Path}
			if r.Size != nil {
				d.gone[r.Path] = delta.Add{Path: r.Path, Size: *r.Size}
			}
		}
	}
	for _, a := range e.Adds {
		if !moved {
			d.fresh[a.Path] = true
		}
		delete(d.gone, a.Path)
	}
}

// name finds the files of a difference.
func (c *Changes) name(v *view, d *difference) error {
	c.Added = nil
	for _, path := range slices.Sorted(maps.Keys(d.fresh)) {
		f, err := v.liveFile(v.adds[path])
		if err != nil {
			return err
		}
		c.Added = append(c.Added, f)
	}
	inside, err := v.within()
	if err != nil {
		return err
	}
	defer inside.close()
	for _, path := range slices.Sorted(maps.Keys(d.gone)) {
		f, err := v.liveFile(d.gone[path])
		if err == nil {
			err = inside.check(f)
		}
		if err == nil {
			_, err = v.dir.Stat(f.name)
		}
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: %s was cleaned away", ErrForgotten, f.Path)
		}
		if err != nil {
			return err
		}
		c.Removed = append(c.Removed, f)
	}
	return nil
}

// ReadFiles calls each with the rows of files that Inspect or ChangesSince named, some at a time, in their order. What
// it gets is valid only during the call. A file that was removed and cleaned away meanwhile is ErrForgotten.
func ReadFiles(ctx context.Context, uri string, files []LiveFile, each func([]Row) error) error {
	dir, err := storage.Open(uri, storage.Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("open table: %w", err)
	}
	v := &view{dir: dir}
	defer v.dir.Close()
	for _, f := range files {
		err := v.rows(ctx, f, each)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrForgotten, err)
		}
		if err != nil {
			return fmt.Errorf("read table: %w", err)
		}
	}
	return nil
}
