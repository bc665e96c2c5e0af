package export

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/export/part"
)

// CompactOptions say what is put together.
type CompactOptions struct {
	Target   int64     // about how large files become; 0 = 128 MiB
	Until    time.Time // no further group is begun after it; zero = no limit
	DryRun   bool
	Progress func(RewriteProgress)
}

// Compacted is what a compaction came to.
type Compacted struct {
	Version int64 // of its last commit; of the table as it was looked at where there was nothing to do
	Commits int
	Removed int   // files
	Added   int   // files
	Rows    int64 // in these
	Bytes   int64 // of the files removed
	Lost    int   // groups that are left as they are, since somebody changed them meanwhile
}

// Compact puts small files together, those next to each other by record id, and sorts their rows by it, so that
// readers skip files and row groups; error rows come into files of their own. The table holds the same rows before and
// after. Each group of files is a commit of its own, which gives way to whoever changes those files meanwhile.
func (t *Table) Compact(ctx context.Context, o CompactOptions) (out Compacted, err error) {
	o.Target = cmp.Or(o.Target, DefaultPartBytes)
	first, err := t.openSwap(ctx, Rewrite{})
	if err != nil {
		return out, fmt.Errorf("compact %s: %w", t.path, err)
	}
	out.Version = first.seen
	groups, err := first.groups(o.Target)
	if err != nil {
		return out, fmt.Errorf("compact %s: %w", t.path, err)
	}
	for i, group := range groups {
		if ctx.Err() != nil || !o.Until.IsZero() && !t.store.o.Now().Before(o.Until) {
			return out, ctx.Err()
		}
		if o.DryRun {
			out.count(group)
			continue
		}
		done, err := t.compactGroup(ctx, group)
		switch {
		case errors.Is(err, ErrConflict):
			out.Lost++
		case err != nil:
			return out, fmt.Errorf("compact %s: %w", t.path, err)
		default:
			out.count(group)
			out.Commits++
			out.Added += done.Added
			out.Version = done.Version
		}
		if o.Progress != nil {
			o.Progress(RewriteProgress{Stage: "compact", Done: i + 1, Files: len(groups), Rows: out.Rows})
		}
	}
	return out, nil
}

func (c *Compacted) count(group []delta.Add) {
	for _, a := range group {
		c.Removed++
		c.Bytes += a.Size
		c.Rows += boundsOf(a).NumRecords
	}
}

// bounds is what a compaction asks of a file's statistics.
type bounds struct {
	NumRecords int64
	MinValues  struct {
		ID string `json:"record_id"`
	}
	NullCount struct{ Error *int64 }
}

func boundsOf(a delta.Add) (b bounds) {
	if a.Stats != nil {
		_ = json.Unmarshal([]byte(*a.Stats), &b) // another's statistics may be anything; then nothing is known
	}
	return b
}

// groups are files to be put together: small ones of one partition. A file is taken again only with so much beside it
// that it grows by four fifths, or fills up: so each row is written again a few times in all, however many small files
// come.
func (s *swap) groups(target int64) ([][]delta.Add, error) {
	type small struct {
		delta.Add
		bounds
	}
	alike := map[string][]small{}
	for _, a := range s.live {
		if a.Size >= target*3/4 {
			continue
		}
		partition, err := json.Marshal(partitionOf(a.PartitionValues))
		if err != nil {
			return nil, err
		}
		b := boundsOf(a)
		errorsOnly := b.NullCount.Error != nil && *b.NullCount.Error == 0 && b.NumRecords > 0
		key := fmt.Sprintf("%s %v", partition, errorsOnly)
		alike[key] = append(alike[key], small{a, b})
	}
	var groups [][]delta.Add
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		files := alike[key]
		slices.SortFunc(files, func(a, b small) int {
			return cmp.Or(cmp.Compare(a.MinValues.ID, b.MinValues.ID), cmp.Compare(a.Path, b.Path))
		})
		var group []delta.Add
		bytes, rows, most := int64(0), int64(0), int64(0)
		end := func() {
			if len(group) > 1 && (bytes >= target || most*9 <= rows*5) {
				groups = append(groups, group)
			}
			group, bytes, rows, most = nil, 0, 0, 0
		}
		for _, a := range files {
			n := a.NumRecords
			group = append(group, a.Add)
			bytes, rows, most = bytes+a.Size, rows+n, max(most, n)
			if bytes >= target {
				end()
			}
		}
		end()
	}
	return groups, nil
}

// compactGroup puts one group of files together.
func (t *Table) compactGroup(ctx context.Context, group []delta.Add) (done Rewritten, err error) {
	s, err := t.openSwap(ctx, Rewrite{Operation: "OPTIMIZE"})
	if err != nil {
		return done, err
	}
	defer s.abort()
	s.dataChange, s.merges = false, true
	all := sortedRuns{}
	defer func() {
		for _, r := range all {
			err = errors.Join(err, r.file.Remove())
		}
	}()
	for _, a := range group {
		if _, live := s.live[a.Path]; !live {
			return done, s.conflict(s.seen, "%s is no longer there", a.Path)
		}
		if err := s.sort(ctx, a, all); err != nil {
			return done, s.h.blame(err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if err := s.mergeRuns(ctx, all[key], group[0].PartitionValues); err != nil {
			return done, s.h.blame(err)
		}
	}
	t.store.o.Point("compact-written")
	err = s.commit(ctx)
	return s.result, err
}

// sortedRuns are rows in sorted runs, in files of this machine: those of files of one shape together, errors apart.
type sortedRuns map[string]*runs

type runs struct {
	*part.Sorter
	file *disk.File
}

// of gives the runs for rows of a source.
func (all sortedRuns) of(s *swap, key string, src *part.Source, partition map[string]*string) (*runs, error) {
	if all[key] != nil {
		return all[key], nil
	}
	stage := s.h.stage()
	file, err := stage.dir.Create(stage.tempName())
	if err != nil {
		return nil, err
	}
	all[key] = &runs{file: file}
	all[key].Sorter, err = part.NewSorter(file, src, part.Options{
		RowGroupBytes: s.t.store.o.RowGroupBytes, Constants: s.h.layout().by.constants(partition),
	}, part.NewSum())
	return all[key], err
}

// sort adds the rows of a file to those that are sorted already.
func (s *swap) sort(ctx context.Context, a delta.Add, all sortedRuns) error {
	return s.open(a, func(src *part.Source) error {
		s.touched[a.Path] = &touched{add: a, rows: src.Rows()}
		failed := touched{rows: src.Rows()}
		err := src.Labels(ctx, false, func(row int64, l *part.Label) error {
			if l.Error {
				failed.mark(row)
			}
			return nil
		})
		for key, n := range map[bool]int64{false: src.Rows() - failed.taken, true: failed.taken} {
			if err != nil || n == 0 {
				continue
			}
			var to *runs
			if to, err = all.of(s, fmt.Sprint(key, src.Shape()), src, a.PartitionValues); err == nil {
				err = to.Take(ctx, src, func(row int64) bool { return failed.has(row) == key })
			}
		}
		return err
	})
}

// mergeRuns makes a part of sorted runs, and makes sure that it holds their rows.
func (s *swap) mergeRuns(ctx context.Context, runs *runs, partition map[string]*string) error {
	if err := errors.Join(runs.Close(), runs.file.Close()); err != nil {
		return err
	}
	dir := s.h.stage().dir
	st, err := dir.Stat(runs.file.Name())
	if err != nil {
		return err
	}
	f, err := dir.Open(runs.file.Name())
	if err != nil {
		return err
	}
	defer f.Close()
	src, err := part.OpenSource(f, st.Size)
	if err != nil {
		return err
	}
	next, err := s.h.copyPart(s.t.store.o, src, partition)
	if err != nil {
		return err
	}
	s.put = append(s.put, next)
	if err := next.copied().TakeSorted(ctx, src); err != nil {
		return err
	}
	if err := next.finish(); err != nil {
		return err
	}
	return next.holds(ctx, runs.Sum())
}
