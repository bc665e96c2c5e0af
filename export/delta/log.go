package delta

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"

	"textmill/export/disk"
	"textmill/export/storage"
)

// DirName is the log's directory in a table.
const DirName = "_delta_log"

const lastCheckpoint = "_last_checkpoint"

// maxEntry bounds the memory that one entry may take.
const maxEntry = 1 << 30

// ErrGone says that the log's directory is no longer that of the table, or holds another table's log.
var ErrGone = errors.New("table was deleted or made anew")

// Log is the log of one table, held by a handle of its directory: a table made anew at the same path is another Log.
type Log struct {
	dir storage.Dir
}

// OpenLog opens the log of the table in dir; os.ErrNotExist when it has none.
func OpenLog(dir storage.Dir) (*Log, error) {
	d, err := dir.Sub(DirName)
	if err != nil {
		return nil, err
	}
	return &Log{dir: d}, nil
}

// MakeLog creates the log's directory where it is absent.
func MakeLog(dir storage.Dir) (*Log, error) {
	d, err := dir.MakeSub(DirName)
	if err != nil {
		return nil, err
	}
	return &Log{dir: d}, nil
}

// Dir is the handle of the log's directory.
func (l *Log) Dir() storage.Dir { return l.dir }

// Close gives the handle back.
func (l *Log) Close() error { return l.dir.Close() }

// EntryName is the name of an entry's file.
func EntryName(version int64) string { return fmt.Sprintf("%020d.json", version) }

var (
	entryName      = regexp.MustCompile(`^(\d{20})\.json$`)
	checkpointName = regexp.MustCompile(`^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$`)
)

// checkpointFiles is a complete checkpoint: the files of one version, in order of their parts.
type checkpointFiles struct {
	version int64
	names   []string
}

// Listing is what the log's directory holds.
type Listing struct {
	Entries     []int64 // ascending
	checkpoints []checkpointFiles
	Other       []string // names that are neither entry, checkpoint nor _last_checkpoint
}

// List reads the directory.
func (l *Log) List() (*Listing, error) { return l.listAfter("") }

// listAfter lists what comes after a name.
func (l *Log) listAfter(after string) (*Listing, error) {
	names, err := l.dir.Names(after)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := &Listing{}
	parts := map[string][]string{}
	var order []string
	for _, name := range names {
		if m := entryName.FindStringSubmatch(name); m != nil {
			if v, err := strconv.ParseInt(m[1], 10, 64); err == nil {
				out.Entries = append(out.Entries, v)
			}
		} else if m := checkpointName.FindStringSubmatch(name); m != nil {
			key := m[1] + "/" + m[3]
			if parts[key] == nil {
				order = append(order, key)
			}
			parts[key] = append(parts[key], name)
		} else if name != lastCheckpoint {
			out.Other = append(out.Other, name)
		}
	}
	for _, key := range order {
		v, err := strconv.ParseInt(key[:20], 10, 64)
		if err != nil {
			continue
		}
		want := 1
		if key[21:] != "" {
			if want, err = strconv.Atoi(key[21:]); err != nil {
				continue
			}
		}
		if len(parts[key]) == want {
			out.checkpoints = append(out.checkpoints, checkpointFiles{version: v, names: parts[key]})
		}
	}
	slices.SortStableFunc(out.checkpoints, func(a, b checkpointFiles) int {
		return int(min(1,
			max(-1, a.version-b.version)))
	})
	return out, nil
}

// Gaps lists the versions that are absent between the first and the last entry.
func (l *Listing) Gaps() []int64 {
	var gaps []int64
	for i := 1; i < len(l.Entries); i++ {
		for v := l.Entries[i-1] + 1; v < l.Entries[i] && len(gaps) < 100; v++ {
			gaps = append(gaps, v)
		}
	}
	return gaps
}

// Newest is the newest version that has an entry or a checkpoint, -1 where none has.
func (l *Listing) Newest() int64 {
	newest := int64(-1)
	if n := len(l.Entries); n > 0 {
		newest = l.Entries[n-1]
	}
	if n := len(l.checkpoints); n > 0 {
		newest = max(newest, l.checkpoints[n-1].version)
	}
	return newest
}

// Checkpoints lists the versions of the complete checkpoints, ascending.
func (l *Listing) Checkpoints() []int64 {
	var out []int64
	for _, c := range l.checkpoints {
		out = append(out, c.version)
	}
	return out
}

// Read reads and decodes one entry, and says which file it was; os.ErrNotExist where there is none.
func (l *Log) Read(version int64) (*Entry, disk.Stat, error) {
	name := EntryName(version)
	f, err := l.dir.Open(name)
	if err != nil {
		return nil, disk.Stat{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, st, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxEntry))
	if err != nil {
		return nil, st, &disk.Error{Kind: disk.OpOpen, Path: f.Name(), Err: err}
	}
	e, err := Decode(data)
	if err != nil {
		return nil, st, fmt.Errorf("read log entry %s: %w", f.Name(), err)
	}
	return e, st, nil
}

// ErrExists says that a version is already another's.
var ErrExists = errors.New("version is taken")

// ErrUnknown says that an entry is in the log but may not survive a power cut, or, in a bucket, that it may yet
// appear: it must not be relied on before it was synced, nor its parts be removed.
var ErrUnknown = errors.New("commit is not known to be durable")

// Publish makes the finished file temp in stage the entry of a version, which appears whole or not at all, and only
// when the version is free (else ErrExists). id is the TxnID inside it. It is not durable before Sync, and Confirm
// decides whether it counts; temp keeps its name until then, since unlinking it would change the entry's times.
func (l *Log) Publish(stage *disk.Dir, temp string, version int64, id string) error {
	linkErr := l.dir.Link(stage, temp, EntryName(version))
	if linkErr == nil {
		return nil
	}
	// The entry may be there all the same: a network can lose the answer to a call that succeeded.
	e, _, err := l.Read(version)
	switch {
	case err == nil && e.TxnID == id:
		return nil
	case err == nil:
		return ErrExists
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w, then %w", ErrUnknown, linkErr, err)
	case errors.Is(linkErr, storage.ErrUncertain): // it may yet appear
		return fmt.Errorf("%w: %w", ErrUnknown, linkErr)
	case errors.Is(linkErr, os.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrGone, linkErr)
	}
	return linkErr
}

// Sync makes the log's names durable.
func (l *Log) Sync() error {
	if err := l.dir.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// Withdraw takes back an entry that Publish put where no reader looks.
func (l *Log) Withdraw(version int64) error {
	if err := l.dir.Unlink(EntryName(version)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("withdraw log entry %d: %w", version, err)
	}
	return l.dir.Sync()
}
