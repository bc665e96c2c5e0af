package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/storage"
	"textmill/ground/naming"
)

var (
	ourPart = regexp.MustCompile(`^textmill-([0-9a-f]{16})-\d+\.parquet$`)
	ourTemp = regexp.MustCompile(`^([0-9a-f]{16})-\d+\.tmp$`)
	ourLock = regexp.MustCompile(`^([0-9a-f]{16})\.lock$`)
)

// Sweep removes what killed processes left behind in all tables: parts that no commit names, and unfinished files. It
// touches nothing of a process that lives. The removed files' paths are returned, also with an error.
func (s *Store) Sweep(ctx context.Context) (removed []string, err error) {
	root, err := s.base()
	if err != nil {
		return nil, err
	}
	names, err := root.Names("")
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var problems error
	for _, name := range names {
		if _, _, staging := naming.OfStaging(name); staging {
			problems = errors.Join(problems, s.sweepStaging(root, name))
		}
		if naming.CheckDataset(name) != nil {
			continue
		}
		if ctx.Err() != nil {
			return removed, errors.Join(problems, ctx.Err())
		}
		files, err := s.sweepTable(ctx, root, name)
		for _, f := range files {
			removed = append(removed, storage.Join(s.TablePath(name), f))
		}
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("sweep table %s: %w", name, err))
		}
	}
	return removed, problems
}

// On a bucket no lock tells whether a part's owner lives, and a commit that names it may still be to come. So a part
// is committed only within partAge of its upload, by the clock of the machine, and removed only after orphanAge, by
// the server's.
const (
	partAge   = 24 * time.Hour
	orphanAge = 7 * 24 * time.Hour
)

// leftovers are a table's files by the id of the process that made them.
type leftovers struct {
	parts map[string][]string
	temps map[string][]string
	locks map[string]bool
}

func (s *Store) sweepTable(ctx context.Context, root storage.Dir, name string) (removed []string, err error) {
	dir, err := root.Sub(name)
	if errors.Is(err, os.ErrNotExist) || isNotDir(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	n, err := readNamed(ctx, dir)
	if err != nil {
		return nil, err
	}
	if dir.Remote() {
		if removed, err = sweepOld(ctx, dir, n, s.o.Now().Add(-orphanAge)); err != nil {
			return removed, err
		}
		marks, err := dir.Sub(marksName)
		if err == nil {
			err = sweepMarks(marks, s.o.Now())
		}
		if err != nil {
			return removed, err
		}
	}
	aux, err := dir.Stage()
	if errors.Is(err, os.ErrNotExist) {
		return removed, nil // textmill never wrote here
	}
	if err != nil {
		return removed, err
	}
	defer aux.Close()
	past, err := s.sweepRemoved(ctx, dir, n)
	if removed = append(removed, past...); err != nil {
		return removed, err
	}
	more, err := s.sweepStage(ctx, dir, n, aux)
	return append(removed, more...), err
}

// sweepRemoved removes parts of ours that the table no longer needs and was to keep for a time that is over.
func (s *Store) sweepRemoved(ctx context.Context, dir storage.Dir, n *named) (removed []string, err error) {
	out, err := vacuum(ctx, dir, n, s.o.Now(), VacuumOptions{}, func(name string) bool { return ownerOf(name) != "" })
	for _, path := range out.Files {
		removed = append(removed, strings.TrimPrefix(path, dir.Path()+"/"))
	}
	if errors.Is(err, delta.ErrInterval) {
		s.o.Logger.WarnContext(ctx, "files that the table no longer needs stay", "path", dir.Path(), "error", err)
		err = nil
	}
	return removed, err
}

// ownerOf is the id of the process that made a file of a table; "" is somebody else's.
func ownerOf(name string) string {
	if m := ourPart.FindStringSubmatch(name[strings.LastIndexByte(name, '/')+1:]); m != nil {
		return m[1]
	}
	return ""
}

// sweepOld removes parts of ours that the log does not name and that were uploaded before a time.
func sweepOld(ctx context.Context, dir storage.Dir, n *named, before time.Time) (removed []string, err error) {
	names, err := namesIn(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if ownerOf(name) == "" || n.has(name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		st, err := dir.Stat(name)
		if err == nil && st.ModTime.Before(before) {
			err = dir.Unlink(name)
			removed = append(removed, name)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed, err
		}
	}
	return removed, nil
}

// sweepStage removes what owners left whose locks can be taken: unfinished files, and in a directory parts.
func (s *Store) sweepStage(ctx context.Context, dir storage.Dir, n *named, aux *disk.Dir) (
	removed []string, err error) {
	if err := sweepMarks(storage.Local(aux), s.o.Now()); err != nil {
		return nil, err
	}
	left, err := listLeftovers(dir, aux)
	if err != nil {
		return nil, err
	}
	locks := map[string]*disk.Lock{}
	defer func() {
		for _, l := range locks {
			_ = l.Drop()
		}
	}()
	for id := range left.ids(n) {
		lock, err := aux.Lock(id + ".lock")
		if errors.Is(err, disk.ErrLocked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		locks[id] = lock
	}
	if len(locks) == 0 {
		return nil, nil
	}
	return left.remove(ctx, dir, aux, locks)
}

func listLeftovers(dir storage.Dir, aux *disk.Dir) (*leftovers, error) {
	left := &leftovers{parts: map[string][]string{}, temps: map[string][]string{}, locks: map[string]bool{}}
	if !dir.Remote() {
		names, err := namesIn(dir)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if id := ownerOf(n); id != "" {
				left.parts[id] = append(left.parts[id], n)
			}
		}
	}
	names, err := aux.Names()
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if m := ourTemp.FindStringSubmatch(n); m != nil {
			left.temps[m[1]] = append(left.temps[m[1]], n)
		} else if m := ourLock.FindStringSubmatch(n); m != nil {
			left.locks[m[1]] = true
		}
	}
	return left, nil
}

// ids are those that may have left something; the log that names files may have gone on by now.
func (l *leftovers) ids(named *named) map[string]bool {
	ids := map[string]bool{}
	for id := range l.locks {
		ids[id] = true
	}
	for id := range l.temps {
		ids[id] = true
	}
	for id, parts := range l.parts {
		for _, n := range parts {
			if !named.has(n) {
				ids[id] = true
			}
		}
	}
	return ids
}

// remove needs the locks: only a log that is read after they were taken tells what their former owners committed.
func (l *leftovers) remove(ctx context.Context, dir storage.Dir, aux *disk.Dir,
	locks map[string]*disk.Lock) (removed []string, err error) {
	named, err := readNamed(ctx, dir)
	if err != nil {
		return nil, err
	}
	// The owner may have gone on between the listing and the lock.
	now, err := listLeftovers(dir, aux)
	if err != nil {
		return nil, err
	}
	for id, lock := range locks {
		for _, n := range now.parts[id] {
			if named.has(n) {
				continue
			}
			if err := dir.Unlink(n); err != nil && !errors.Is(err, os.ErrNotExist) {
				return removed, err
			}
			removed = append(removed, n)
		}
		for _, n := range now.temps[id] {
			if err := aux.Unlink(n); err != nil && !errors.Is(err, os.ErrNotExist) {
				return removed, err
			}
			removed = append(removed, filepath.Join(filepath.Base(aux.Path()), n))
		}
		delete(locks, id)
		if err := lock.Release(); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func isNotDir(err error) bool {
	var e *disk.Error
	return errors.As(err, &e) && e.NotDir()
}
