package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"textmill/export/disk"
	"textmill/export/storage"
)

// Isolation is what is known of a delivery that has come so often that it may be what kills its daemons. It is kept
// beside the table, durably, so that whoever gets the delivery next knows what it did alone.
type Isolation struct {
	// Share is how large a group it may run in, after a process died with it in one. A delivery that has run alone has
	// none.
	Share int `json:"share,omitempty"`
	// Ranges cut the delivery's records, by index from 0: each is Ranges[i] to Ranges[i+1]. The first is 0, the last the
	// number of records. There are none where it never ran alone.
	Ranges []int `json:"ranges,omitempty"`
	// Running is the range that runs alone in the owner's process, -1 for none.
	Running int `json:"running"`
	// Waits says that it ran and that its owner has its rows, to be committed with others.
	Waits bool `json:"waits,omitempty"`
	// Deaths is how many processes died while the record Suspect ran alone.
	Deaths  int `json:"deaths,omitempty"`
	Suspect int `json:"accused,omitempty"`
	// Poison are the records that are given up.
	Poison []int  `json:"guilty,omitempty"`
	Owner  string `json:"owner"`
}

// ErrQuarantined says that a process that lives is running the delivery alone, or has its rows.
var ErrQuarantined = errors.New("another process is running the delivery alone")

const (
	maxIsolation = 1 << 20
	// heldFor is how long the rows of what ran may wait for their commit, and how long a quarantine holds without being
	// renewed: an owner that is stopped holds up nobody for longer.
	heldFor = 30 * time.Second
	// isolationAge is how long one is kept of a delivery that never came again.
	isolationAge = 30 * 24 * time.Hour
)

var ourIsolation = regexp.MustCompile(`^trial-[0-9a-f]{32}\.json$`)

// errNoMark says that a file is not what its name says.
var errNoMark = errors.New("not a mark of this version")

func isolationFile(hash string) string { return "trial-" + hash + ".json" }

func isolationName(k Key) string { return isolationFile(k.Hash()) }

// Isolation reads what is known of a delivery; nil when it never ran alone. died says that the process which ran
// Running is gone. ErrQuarantined when it is not.
func (t *Table) Isolation(ctx context.Context, k Key, kind EmbeddingKind) (isolation *Isolation, died bool,
	err error) {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return nil, false, err
	}
	return t.isolation(h, k)
}

func (t *Table) isolation(h *handle, k Key) (isolation *Isolation, died bool, err error) {
	s := h.stage()
	data, st, err := readMark(s.marks, isolationName(k))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil {
		isolation, err = parseIsolation(data)
	}
	if errors.Is(err, errNoMark) {
		t.log.Warn("what was known of a suspect delivery cannot be read; it is tried anew", "file", isolationName(k),
			"error", err)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if isolation.Waits && t.store.o.Now().Sub(st.ModTime) > heldFor {
		isolation.Waits = false
	}
	if isolation.Running < 0 && !isolation.Waits || isolation.Owner == s.id {
		return isolation, false, nil
	}
	over, done, err := t.ended(s, isolation.Owner)
	if err != nil {
		return nil, false, err
	}
	if !over {
		return nil, false, fmt.Errorf("%w: %s", ErrQuarantined, k)
	}
	return isolation, isolation.Running >= 0, done()
}

func parseIsolation(data []byte) (*Isolation, error) {
	var t Isolation
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoMark, err)
	}
	if !ourLock.MatchString(lockName(t.Owner)) {
		return nil, fmt.Errorf("%w: no owner", errNoMark)
	}
	if t.Share > 0 && len(t.Ranges) == 0 && t.Running == -1 && len(t.Poison) == 0 {
		return &t, nil
	}
	if len(t.Ranges) < 2 || t.Ranges[0] != 0 || t.Running < -1 || t.Running >= len(t.Ranges)-1 {
		return nil, fmt.Errorf("%w: no ranges", errNoMark)
	}
	for i, at := range t.Ranges[1:] {
		if at <= t.Ranges[i] {
			return nil, fmt.Errorf("%w: ranges are not in order", errNoMark)
		}
	}
	for _, g := range t.Poison {
		if g < 0 || g >= t.Ranges[len(t.Ranges)-1] {
			return nil, fmt.Errorf("%w: a poison record is none of the delivery's", errNoMark)
		}
	}
	return &t, nil
}

// readMark reads a small file.
func readMark(marks storage.Dir, name string) (data []byte, st disk.Stat, err error) {
	f, err := marks.Open(name)
	if errors.Is(err, disk.ErrKind) || isNotDir(err) { // or a link
		return nil, st, fmt.Errorf("%w: %w", errNoMark, err)
	}
	if err != nil {
		return nil, st, err
	}
	defer f.Close()
	if data, err = io.ReadAll(io.LimitReader(f, maxIsolation)); err != nil {
		return nil, st, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	st, err = f.Stat()
	return data, st, err
}

// SaveIsolation returns once it is durable.
func (t *Table) SaveIsolation(ctx context.Context, k Key, kind EmbeddingKind, isolation *Isolation) error {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return err
	}
	s := h.stage()
	isolation.Owner = s.id
	data, err := json.Marshal(isolation)
	if err != nil {
		return err
	}
	if err := s.live(t.log); err != nil {
		return err
	}
	if err := s.put(s.marks, isolationName(k), data); err != nil {
		return err
	}
	return s.marks.Sync()
}

// EndIsolation forgets what was known of a delivery.
func (t *Table) EndIsolation(ctx context.Context, k Key, kind EmbeddingKind) error {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return err
	}
	return h.stage().unmark(isolationName(k))
}

// marks opens the table for marks. Where it is open what its log said last will do: a look at a bucket for each of
// many would cost more than their runs.
func (t *Table) marks(ctx context.Context, kind EmbeddingKind) (*handle, error) {
	h := t.current()
	if h == nil || h.refused() != nil {
		return t.ensure(ctx, kind)
	}
	if err := h.arm(); err != nil {
		return nil, fmt.Errorf("open table %s for marks: %w", t.path, err)
	}
	return h, nil
}

// sweepMarks forgets deliveries that are gone, as those of a cancelled job are, and processes.
func sweepMarks(marks storage.Dir, now time.Time) error {
	names, err := marks.Names("")
	if err != nil {
		return err
	}
	for _, n := range names {
		if !ourIsolation.MatchString(n) && !ourQuarantine.MatchString(n) && !ourSign.MatchString(n) {
			continue
		}
		st, err := marks.Stat(n)
		if err == nil && now.Sub(st.ModTime) > isolationAge {
			err = marks.Unlink(n)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
