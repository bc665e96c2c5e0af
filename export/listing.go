package export

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"textmill/export/delta"
)

// examined is a file of a table with what its statistics tell.
type examined struct {
	delta.Add
	stats fileStats
}

func examinedFile(a delta.Add) *examined {
	f := &examined{a, statsOf(a.Stats)}
	f.Stats = nil // told, and large
	return f
}

func comparePath(f *examined, path string) int { return cmp.Compare(f.Path, path) }

// listing is which files a table has, kept for commits that look for records in them: each reads the entries that came
// since the one before.
type listing struct {
	mu    sync.Mutex
	snap  *delta.Snapshot // nil before the first look
	files []*examined     // by their paths; a slice that was handed out is never changed
}

// farBehind is of how many entries a checkpoint tells sooner than they do.
const farBehind = 100

// newest is the table's files and its state at one version, as of now; known is a version that the table has.
func (l *listing) newest(ctx context.Context, log *delta.Log, known int64) ([]*examined, delta.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.snap != nil && known-l.snap.Version > farBehind {
		l.snap, l.files = nil, nil
	}
	err := l.follow(ctx, log)
	if l.snap == nil || delta.IsStale(err) {
		err = l.load(ctx, log)
	}
	if err != nil {
		return nil, delta.Snapshot{}, err
	}
	return l.files, *l.snap, nil
}

// follow takes in the entries that came since; on an error it stays as it was.
func (l *listing) follow(ctx context.Context, log *delta.Log) error {
	if l.snap == nil {
		return nil
	}
	snap, files, own := *l.snap, l.files, false
	change := func() {
		if !own {
			files, own = slices.Clone(files), true
		}
	}
	err := log.Refresh(ctx, &snap, delta.Sink{
		Add: func(a delta.Add) {
			change()
			i, is := slices.BinarySearchFunc(files, a.Path, comparePath)
			if !is {
				files = slices.Insert(files, i, nil)
			}
			files[i] = examinedFile(a)
		},
		Remove: func(r delta.Remove) {
			if i, is := slices.BinarySearchFunc(files, r.Path, comparePath); is {
				change()
				files = slices.Delete(files, i, i+1)
			}
		},
	}, func(take func()) { take() })
	if err == nil {
		l.snap, l.files = &snap, files
	}
	return err
}

// load reads the log whole.
func (l *listing) load(ctx context.Context, log *delta.Log) error {
	snap, live, err := loadLive(ctx, log)
	if err == nil {
		l.snap, l.files = snap, examinedFiles(live)
	}
	return err
}

// loadLive reads which files a log says are the table's.
func loadLive(ctx context.Context, log *delta.Log) (*delta.Snapshot, map[string]delta.Add, error) {
	var live map[string]delta.Add
	snap, err := log.Load(ctx, func() delta.Sink {
		live = map[string]delta.Add{}
		return liveFiles(live)
	})
	return snap, live, err
}

// examinedFiles are files in the order of their paths.
func examinedFiles(live map[string]delta.Add) []*examined {
	files := make([]*examined, 0, len(live))
	for _, path := range slices.Sorted(maps.Keys(live)) {
		files = append(files, examinedFile(live[path]))
	}
	return files
}
