package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"textmill/export/delta"
	"textmill/export/storage"
)

// named is the files of a table that its log names, live or removed not long ago: readers of older versions need these
// too. What is outside of the table is none of it.
type named struct {
	snap    *delta.Snapshot
	live    map[string]bool
	removed map[string]time.Time // when
}

// has also tells of a table without a log.
func (n *named) has(name string) bool {
	if n == nil {
		return false
	}
	_, removed := n.removed[name]
	return removed || n.live[name]
}

// readNamed reads them; nil where there is no table.
func readNamed(ctx context.Context, dir storage.Dir) (*named, error) {
	log, err := delta.OpenLog(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer log.Close()
	n := &named{}
	n.snap, err = log.Load(ctx, func() delta.Sink {
		n.live, n.removed = map[string]bool{}, map[string]time.Time{}
		return delta.Sink{
			Add: func(a delta.Add) {
				if name, err := fileOf(a.Path); err == nil {
					n.live[name] = true
					delete(n.removed, name)
				}
			},
			Remove: func(r delta.Remove) {
				name, err := fileOf(r.Path)
				if err != nil {
					return
				}
				delete(n.live, name)
				n.removed[name] = time.Time{} // long ago
				if r.DeletionTimestamp != nil {
					n.removed[name] = time.UnixMilli(*r.DeletionTimestamp)
				}
			},
		}
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return n, err
}

// Retain is the property by which a table keeps files for so long that it no longer names.
func Retain(d time.Duration) map[string]string {
	return map[string]string{delta.RetentionKey: delta.Interval(d)}
}

// VacuumOptions say what a vacuum may remove.
type VacuumOptions struct {
	Retention *time.Duration // files removed from the table before it ago; nil: as the table's properties say
	DryRun    bool
}

// Vacuumed is what a vacuum removed, or in a dry run would.
type Vacuumed struct {
	Version   int64
	Retention time.Duration
	Files     []string
	Bytes     int64
}

// Vacuum removes the files that are no longer the table's and were taken out of it longer ago than it keeps them:
// readers of versions from before that can no longer read these. What killed writers left it leaves to Sweep.
func (t *Table) Vacuum(ctx context.Context, o VacuumOptions) (Vacuumed, error) {
	h, err := t.newest(ctx)
	if err != nil {
		return Vacuumed{}, err
	}
	if h == nil {
		return Vacuumed{}, fmt.Errorf("table %s: %w", t.path, os.ErrNotExist)
	}
	n, err := readNamed(ctx, h.dir)
	if err != nil {
		return Vacuumed{}, fmt.Errorf("vacuum %s: %w", t.path, err)
	}
	out, err := vacuum(ctx, h.dir, n, t.store.o.Now(), o, nil)
	if err != nil {
		return out, fmt.Errorf("vacuum %s: %w", t.path, err)
	}
	return out, nil
}

// vacuum removes what the log says was removed long enough ago, and which wants lets go; nil lets go everything.
func vacuum(ctx context.Context, dir storage.Dir, n *named, now time.Time, o VacuumOptions,
	wants func(name string) bool) (out Vacuumed, err error) {
	if n == nil {
		return out, nil
	}
	out.Version = n.snap.Version
	if out.Retention, err = n.snap.Metadata.Retention(); o.Retention != nil {
		out.Retention, err = *o.Retention, nil
	}
	if err != nil {
		return out, err
	}
	before := now.Add(-out.Retention)
	var names []string
	for name, at := range n.removed {
		if !at.After(before) && (wants == nil || wants(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		st, err := dir.Stat(name)
		if err == nil && !o.DryRun {
			err = dir.Unlink(name)
		}
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Files, out.Bytes = append(out.Files, storage.Join(dir.Path(), name)), out.Bytes+st.Size
	}
	return out, nil
}
