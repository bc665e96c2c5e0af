package delta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"textmill/export/disk"
)

// Sink takes the actions of a replay, oldest first; a nil field is not wanted. Within one entry txns come first, then
// removes, then adds.
type Sink struct {
	Txn    func(Txn)
	Remove func(Remove)
	Add    func(Add)
}

// Snapshot is the table's state at a version, but for the files and txns, which went into a Sink.
type Snapshot struct {
	Version    int64
	Protocol   Protocol
	Metadata   Metadata
	HasFiles   bool  // a file was ever added
	Checkpoint int64 // the newest checkpoint known; -1 when there is none
	Actions    int64 // in that
	// witness is a file that lies there, with the same stamp, as long as the log goes on from Version: its entry, or the
	// checkpoint where another tool cleaned the entry away.
	witness string
	stamp   disk.Stat
}

// errStale says that a snapshot cannot be brought up to date step by step.
var errStale = errors.New("snapshot is stale")

// Load reads the newest state. open is called for each attempt and gives an empty Sink; the last one opened has the
// result. os.ErrNotExist when the log has no entry at all.
func (l *Log) Load(ctx context.Context, open func() Sink) (*Snapshot, error) {
	var err error
	for range 5 { // clean-up by another tool may take entries away while they are read
		var s *Snapshot
		s, err = l.load(ctx, open)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || !errors.Is(err, errStale) {
			return nil, err
		}
	}
	return nil, err
}

func (l *Log) load(ctx context.Context, open func() Sink) (*Snapshot, error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	if len(list.Entries) == 0 && len(list.checkpoints) == 0 {
		return nil, fmt.Errorf("%s is empty: %w", l.dir.Path(), os.ErrNotExist)
	}
	var problems error
	for i := len(list.checkpoints) - 1; i >= 0; i-- {
		s := &Snapshot{Version: list.checkpoints[i].version, Checkpoint: list.checkpoints[i].version}
		sink := open()
		err := l.readCheckpoint(ctx, list.checkpoints[i], s, sink)
		if err == nil {
			err = s.sound()
		}
		if err == nil {
			s.witness = list.checkpoints[i].names[0]
			return l.tail(ctx, s, sink, list)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		problems = errors.Join(problems, err)
	}
	if len(list.Entries) == 0 || list.Entries[0] != 0 {
		if problems == nil {
			problems = fmt.Errorf("%w: %s has neither entry 0 nor a checkpoint", ErrCorrupt, l.dir.Path())
		}
		return nil, problems
	}
	return l.tail(ctx, &Snapshot{Version: -1, Checkpoint: -1}, open(), list)
}

// tail replays the entries after what s holds.
func (l *Log) tail(ctx context.Context, s *Snapshot, sink Sink, list *Listing) (*Snapshot, error) {
	if err := l.stamp(s); err != nil {
		return nil, err
	}
	if err := l.advance(ctx, s, sink, func(take func()) { take() }); err != nil {
		return nil, err
	}
	if n := len(list.Entries); n > 0 && list.Entries[n-1] > s.Version {
		// Either a gap, or entries that went away since the listing.
		again, err := l.List()
		if err != nil {
			return nil, err
		}
		if gaps := again.Gaps(); len(gaps) > 0 && gaps[len(gaps)-1] > s.Version {
			return nil, fmt.Errorf("%w: %s has no entry %d", ErrCorrupt, l.dir.Path(), s.Version+1)
		}
		return nil, errStale
	}
	return s, s.sound()
}

// stamp looks at the witness of a snapshot that a checkpoint gave.
func (l *Log) stamp(s *Snapshot) error {
	if s.Version < 0 {
		return nil
	}
	name := EntryName(s.Version)
	st, err := l.dir.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		name = s.witness
		if st, err = l.dir.Stat(name); errors.Is(err, os.ErrNotExist) {
			return errStale
		}
	}
	s.witness, s.stamp = name, st
	return err
}

// check reports errStale when the log no longer goes on from s.
func (l *Log) check(s *Snapshot) error {
	st, err := l.dir.Stat(s.witness)
	if errors.Is(err, os.ErrNotExist) || err == nil && !st.Same(s.stamp) {
		return fmt.Errorf("%w: %s was cleaned away or replaced", errStale, s.witness)
	}
	return err
}

// Refresh brings s up to date into sink; the receiver of an error must load anew. ErrGone when the table is another
// now. s and sink are changed in each only, which gets what takes one more entry in; files are read outside of it.
func (l *Log) Refresh(ctx context.Context, s *Snapshot, sink Sink, each func(take func())) error {
	current, err := l.dir.Current()
	if err != nil {
		return err
	}
	if !current {
		return fmt.Errorf("%w: %s", ErrGone, l.dir.Path())
	}
	if err := l.check(s); err != nil {
		return err
	}
	if err := l.advance(ctx, s, sink, each); err != nil {
		return err
	}
	return s.sound()
}

// IsStale reports whether Refresh failed only because the log moved on beyond it.
func IsStale(err error) bool { return errors.Is(err, errStale) }

func (l *Log) advance(ctx context.Context, s *Snapshot, sink Sink, each func(take func())) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, st, err := l.Read(s.Version + 1)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		each(func() {
			s.apply(e, sink)
			s.Version++
			s.witness, s.stamp = EntryName(s.Version), st
		})
	}
}

func (s *Snapshot) apply(e *Entry, sink Sink) {
	if e.Protocol != nil {
		s.Protocol = *e.Protocol
	}
	if e.Metadata != nil {
		s.Metadata = *e.Metadata
	}
	s.HasFiles = s.HasFiles || len(e.Adds) > 0 || len(e.Removes) > 0
	if sink.Txn != nil {
		for _, t := range e.Txns {
			sink.Txn(t)
		}
	}
	if sink.Remove != nil {
		for _, r := range e.Removes {
			sink.Remove(r)
		}
	}
	if sink.Add != nil {
		for _, a := range e.Adds {
			sink.Add(a)
		}
	}
}

func (s *Snapshot) sound() error {
	if s.Metadata.ID == "" || s.Protocol.MinReaderVersion < 1 {
		return fmt.Errorf("%w: no metaData or protocol up to version %d", ErrCorrupt, s.Version)
	}
	return nil
}

// Confirm decides whether the entry that was just linked right after s is where readers look. ErrGone: the table is
// another; errStale (IsStale): the log had moved on. In both cases the caller withdraws the entry.
func (l *Log) Confirm(s *Snapshot) error {
	version := s.Version + 1
	current, err := l.dir.Current()
	if err != nil {
		return err
	}
	if !current {
		return fmt.Errorf("%w: %s", ErrGone, l.dir.Path())
	}
	ours, err := l.dir.Stat(EntryName(version))
	if err != nil {
		return err
	}
	if err := l.check(s); err != nil {
		return err
	}
	// Who cleans entries away has pointed to a checkpoint of a later one before: while that pointer says less, no
	// directory of ten thousand names need be read for each commit.
	if hint, err := l.LastCheckpoint(); err == nil && hint < version {
		return nil
	}
	return l.confirmCheckpoints(version, ours.Changed)
}

// confirmCheckpoints refuses a version that a checkpoint from before our link covers.
func (l *Log) confirmCheckpoints(version int64, linked time.Time) error {
	list, err := l.listAfter(EntryName(version - 1))
	if err != nil {
		return err
	}
	for _, c := range list.checkpoints {
		if c.version < version {
			continue
		}
		for _, name := range c.names {
			st, err := l.dir.Stat(name)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if st.ModTime.Before(linked) {
				return fmt.Errorf("%w: checkpoint %d is older than our entry %d", errStale, c.version, version)
			}
		}
	}
	return nil
}
