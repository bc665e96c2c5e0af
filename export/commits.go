package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"textmill/export/delta"
)

// LogCommit is what one entry of a table's log did.
type LogCommit struct {
	Version    int64
	TableID    string
	Operation  string    // what its writer calls it; "" where it says nothing
	Time       time.Time // as its writer says; zero where it says nothing
	Rearranged bool      // rows only moved between files
	Added      []LiveFile
	Removed    []LiveFile // Rows are -1
}

// Commits reads the entries of one table's log, one at a time.
type Commits struct {
	view *view
}

// OpenCommits opens the log of the table at a path or URI; os.ErrNotExist where there is none yet.
func OpenCommits(ctx context.Context, uri string) (*Commits, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	return &Commits{view: v}, nil
}

// Close gives the handles back.
func (c *Commits) Close() { c.view.close() }

// Path and TableID are of the table; Newest was its version when the log was opened.
func (c *Commits) Path() string    { return c.view.dir.Path() }
func (c *Commits) TableID() string { return c.view.snap.Metadata.ID }
func (c *Commits) Newest() int64   { return c.view.snap.Version }

// Read gives the commit of a version; nil where it is not there yet. ErrForgotten: it was cleaned away. ErrGone: the
// table was deleted or made anew since the log was opened.
func (c *Commits) Read(version int64) (*LogCommit, error) {
	e, st, err := c.view.log.Read(version)
	if errors.Is(err, os.ErrNotExist) {
		return nil, c.absent(version)
	}
	if err != nil {
		return nil, err
	}
	out := &LogCommit{Version: version, TableID: c.TableID(), Operation: e.Operation, Time: st.ModTime.UTC(),
		Rearranged: len(e.Adds)+len(e.Removes) > 0}
	if e.Timestamp > 0 {
		out.Time = time.UnixMilli(e.Timestamp).UTC()
	}
	for _, a := range e.Adds {
		out.Rearranged = out.Rearranged && !a.DataChange
		f, err := c.view.liveFile(a)
		if err != nil {
			return nil, err
		}
		out.Added = append(out.Added, f)
	}
	for _, r := range e.Removes {
		out.Rearranged = out.Rearranged && !r.DataChange
		f, err := c.view.liveFile(delta.Add{Path: r.Path})
		if err != nil {
			return nil, err
		}
		out.Removed = append(out.Removed, f)
	}
	return out, nil
}

// absent tells why there is no entry of a version.
func (c *Commits) absent(version int64) error {
	current, err := c.view.log.Dir().Current()
	if err != nil {
		return err
	}
	if !current {
		return fmt.Errorf("%w: %s", ErrGone, c.Path())
	}
	list, err := c.view.log.List()
	if err != nil {
		return fmt.Errorf("list the log of %s: %w", c.Path(), err)
	}
	if list.Newest() < version {
		return nil
	}
	return fmt.Errorf("%w: %s has no log entry %d any more", ErrForgotten, c.Path(), version)
}

// ErrorRows is how many of a file's rows are errors, -1 where the log does not tell.
func (f *LiveFile) ErrorRows() int64 {
	s := statsOf(&f.stats)
	if s.NumRecords == nil || s.NullCount.Error == nil {
		return -1
	}
	return *s.NumRecords - *s.NullCount.Error
}

// Rows and ErrorRows are those of the files that a commit added, as far as its log entry tells.
func (c *LogCommit) Rows() (rows, errorRows int64) {
	for i := range c.Added {
		rows += max(c.Added[i].Rows, 0)
		errorRows += max(c.Added[i].ErrorRows(), 0)
	}
	return rows, errorRows
}

// LogCommit gives the commit of a version of an open table; nil where it is not there yet.
func (t *Table) LogCommit(ctx context.Context, version int64) (*LogCommit, error) {
	h, err := t.known(ctx)
	if err != nil || h == nil {
		return nil, err
	}
	h.mu.Lock()
	snap := *h.snap
	h.mu.Unlock()
	return (&Commits{view: &view{dir: h.dir, log: h.log, snap: &snap}}).Read(version)
}
