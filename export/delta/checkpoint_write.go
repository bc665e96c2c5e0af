package delta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/parquet-go/parquet-go"

	"textmill/export/disk"
)

// CheckpointOptions say where a checkpoint is made and what it may leave out.
type CheckpointOptions struct {
	TempDir    *disk.Dir
	TempName   string
	Now        time.Time
	ForgetTxns time.Time               // txns of Ours last updated before this are left out; zero = none
	Ours       func(appID string) bool // which txns may be forgotten
}

// putter puts actions into a checkpoint, but for those that are past.
type putter struct {
	*checkpointWriter
	o CheckpointOptions
	// removed: files that were removed before it are no longer remembered.
	removed int64
}

// checkpointGroup is how many actions a row group of a checkpoint holds.
const checkpointGroup = 50_000

// newer is what the entries after a checkpoint change: it overrides the checkpoint's rows.
type newer struct {
	txns    map[string]Txn
	adds    map[string]*Add
	removes map[string]*Remove
}

// WriteCheckpoint writes a checkpoint of the newest version, of so many actions, and points _last_checkpoint to it.
// Memory is bounded by what happened since the last checkpoint: older actions are copied from it one by one.
func (l *Log) WriteCheckpoint(ctx context.Context, o CheckpointOptions) (version, actions int64, err error) {
	list, err := l.List()
	if err != nil {
		return 0, 0, err
	}
	s := &Snapshot{Version: -1, Checkpoint: -1}
	var base *checkpointFiles
	for i := len(list.checkpoints) - 1; i >= 0 && base == nil; i-- {
		try := Snapshot{}
		if err := l.readCheckpoint(ctx, list.checkpoints[i], &try, Sink{}); err == nil && try.sound() == nil {
			base = &list.checkpoints[i]
			s.Version, s.Checkpoint, s.witness = base.version, base.version, base.names[0]
			s.Protocol, s.Metadata = try.Protocol, try.Metadata
			s.Actions = try.Actions
		} else if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
	}
	after := newer{txns: map[string]Txn{}, adds: map[string]*Add{}, removes: map[string]*Remove{}}
	if s, err = l.tail(ctx, s, after.sink(), list); err != nil {
		return 0, 0, err
	}
	if base != nil && s.Version == base.version {
		return s.Version, s.Actions, nil
	}
	size, err := l.writeCheckpointFile(ctx, s, base, after, o)
	if err != nil {
		return 0, 0, errors.Join(err, ignoreAbsent(o.TempDir.Unlink(o.TempName)))
	}
	if err := l.placeCheckpoint(s.Version, size, o); err != nil {
		return 0, 0, err
	}
	return s.Version, size.actions, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (n *newer) sink() Sink {
	return Sink{
		Txn: func(t Txn) { n.txns[t.AppID] = t },
		Add: func(a Add) {
			n.adds[a.Path] = &a
			n.removes[a.Path] = nil
		},
		Remove: func(r Remove) {
			n.removes[r.Path] = &r
			n.adds[r.Path] = nil
		},
	}
}

// written counts what _last_checkpoint tells.
type written struct {
	bytes, actions, adds int64
}

// checkpointWriter gathers rows and bounds row groups.
type checkpointWriter struct {
	w      *parquet.GenericWriter[checkpointRow]
	rows   []checkpointRow
	group  int
	counts written
	err    error
}

func (c *checkpointWriter) put(r checkpointRow) {
	c.rows = append(c.rows, r)
	c.counts.actions++
	if r.Add != nil {
		c.counts.adds++
	}
	if len(c.rows) == 512 {
		c.flush()
	}
}

func (c *checkpointWriter) flush() {
	if c.err == nil && len(c.rows) > 0 {
		_, c.err = c.w.Write(c.rows)
		c.group += len(c.rows)
	}
	clear(c.rows)
	c.rows = c.rows[:0]
	if c.group >= checkpointGroup && c.err == nil {
		c.err = c.w.Flush()
		c.group = 0
	}
}

func (l *Log) writeCheckpointFile(ctx context.Context, s *Snapshot, base *checkpointFiles, after newer,
	o CheckpointOptions) (written, error) {
	f, err := o.TempDir.Create(o.TempName)
	if err != nil {
		return written{}, err
	}
	defer f.Close() // a second close does nothing
	c := &checkpointWriter{w: parquet.NewGenericWriter[checkpointRow](f, parquet.DataPageVersion(1),
		parquet.CreatedBy("textmill", "1", ""), parquet.DataPageStatistics(false))}
	p, m := checkpointProtocol(s.Protocol), s.Metadata
	c.put(checkpointRow{Protocol: &p})
	c.put(checkpointRow{Metadata: &checkpointMetadata{
		ID: m.ID, Name: m.Name, Description: m.Description, Format: checkpointFormat(m.Format), SchemaString: m.SchemaString,
		PartitionColumns: m.PartitionColumns, CreatedTime: m.CreatedTime, Configuration: m.Configuration,
	}})
	keep, err := s.Metadata.Retention()
	if err != nil {
		keep = o.Now.Sub(time.UnixMilli(0)) // all of them
	}
	into := putter{c, o, o.Now.Add(-keep).UnixMilli()}
	if base != nil {
		if err := l.readCheckpoint(ctx, *base, &Snapshot{}, after.copyInto(into)); err != nil {
			return written{}, err
		}
	}
	after.addInto(into)
	c.flush()
	if c.err == nil {
		c.err = c.w.Close()
	}
	if c.err == nil {
		c.err = f.Sync()
	}
	if c.err == nil {
		c.err = f.Close()
	}
	if c.err != nil {
		return written{}, c.err
	}
	return c.counts, l.checkCheckpoint(ctx, o, &c.counts)
}

// copyInto takes over what the entries since the last checkpoint left alone.
func (n *newer) copyInto(c putter) Sink {
	return Sink{
		Txn: func(t Txn) {
			if _, again := n.txns[t.AppID]; !again {
				c.putTxn(t)
			}
		},
		Add: func(a Add) {
			if _, again := n.adds[a.Path]; !again {
				c.putAdd(a)
			}
		},
		Remove: func(r Remove) {
			if _, again := n.removes[r.Path]; !again {
				c.putRemove(r)
			}
		},
	}
}

func (n *newer) addInto(c putter) {
	for _, t := range n.txns {
		c.putTxn(t)
	}
	for _, a := range n.adds {
		if a != nil {
			c.putAdd(*a)
		}
	}
	for _, r := range n.removes {
		if r != nil {
			c.putRemove(*r)
		}
	}
}

func (c putter) putTxn(t Txn) {
	o := c.o
	if !o.ForgetTxns.IsZero() && o.Ours(t.AppID) && t.LastUpdated != nil && *t.LastUpdated < o.ForgetTxns.UnixMilli() {
		return
	}
	row := checkpointTxn(t)
	c.put(checkpointRow{Txn: &row})
}

func (c putter) putAdd(a Add) {
	row := checkpointAdd(a)
	row.DataChange = false // a checkpoint changes nothing
	c.put(checkpointRow{Add: &row})
}

func (c putter) putRemove(r Remove) {
	if r.DeletionTimestamp == nil || *r.DeletionTimestamp < c.removed {
		return
	}
	row := checkpointRemove(r)
	row.DataChange = false
	c.put(checkpointRow{Remove: &row})
}

// checkCheckpoint reads the finished file back.
func (l *Log) checkCheckpoint(ctx context.Context, o CheckpointOptions, want *written) error {
	f, err := o.TempDir.Open(o.TempName)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	want.bytes = st.Size()
	var rows int64
	if err := readCheckpointFrom(ctx, f, st.Size(), func(*checkpointRow) { rows++ }); err != nil {
		return err
	}
	if rows != want.actions {
		return fmt.Errorf("%w: the checkpoint holds %d actions, written were %d", ErrCorrupt, rows, want.actions)
	}
	return nil
}
