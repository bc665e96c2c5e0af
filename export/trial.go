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
)

// Trial is what is known of a delivery that has come so often that it may be what kills its daemons. It is kept beside the
// table, durably, so that whoever gets the delivery next knows what it did alone.
type Trial struct {
	// Ranges cut the delivery's records, by index from 0: each is Ranges[i] to Ranges[i+1]. The first is 0, the last the number of
	// records.
	Ranges []int `json:"ranges"`
	// Running is the range that runs alone in the owner's process, -1 for none.
	Running int `json:"running"`
	// Waits says that it ran and that its owner has its rows, to be committed with others.
	Waits bool `json:"waits,omitempty"`
	// Deaths is how many processes died while the record Accused ran alone.
	Deaths  int `json:"deaths,omitempty"`
	Accused int `json:"accused,omitempty"`
	// Guilty are the records that are given up.
	Guilty []int  `json:"guilty,omitempty"`
	Owner  string `json:"owner"`
}

// ErrOnTrial says that a process that lives is running the delivery alone, or has its rows.
var ErrOnTrial = errors.New("another process is running the delivery alone")

const (
	maxTrial = 1 << 20
	// waitsFor is how long the rows of what ran may wait for their commit; an owner that is stopped holds up nobody for longer.
	waitsFor = 30 * time.Second
	// trialAge is how long a trial is kept of a delivery that never came again.
	trialAge = 30 * 24 * time.Hour
)

var ourTrial = regexp.MustCompile(`^trial-[0-9a-f]{32}\.json$`)

func trialName(k Key) string { return "trial-" + k.Hash() + ".json" }

// Trial reads what is known of a delivery; nil when it never ran alone. died says that the process which ran Running is gone.
// ErrOnTrial when it is not.
func (t *Table) Trial(ctx context.Context, k Key, kind EmbeddingKind) (trial *Trial, died bool, err error) {
	h, err := t.ensure(ctx, kind)
	if err != nil {
		return nil, false, err
	}
	f, err := h.aux.Open(trialName(k))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTrial))
	var st disk.Stat
	if err == nil {
		st, err = h.aux.Stat(trialName(k))
	}
	if errors.Is(err, os.ErrNotExist) { // over since
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	trial, err = parseTrial(data)
	if err != nil {
		t.log.Warn("what was known of a suspect delivery cannot be read; it is tried anew", "file", f.Name(), "error", err)
		return nil, false, nil
	}
	if trial.Waits && t.store.o.Now().Sub(st.ModTime) > waitsFor {
		trial.Waits = false
	}
	if trial.Running < 0 && !trial.Waits || trial.Owner == h.id {
		return trial, false, nil
	}
	lock, err := h.aux.Lock(trial.Owner + ".lock")
	if errors.Is(err, disk.ErrLocked) {
		return nil, false, fmt.Errorf("%w: %s", ErrOnTrial, k)
	}
	if err != nil {
		return nil, false, err
	}
	return trial, trial.Running >= 0, lock.Drop() // the lock's file stays for the sweep of what its owner left
}

func parseTrial(data []byte) (*Trial, error) {
	var t Trial
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, err
	}
	if len(t.Ranges) < 2 || t.Ranges[0] != 0 || t.Running < -1 || t.Running >= len(t.Ranges)-1 || !ourLock.MatchString(t.Owner+".lock") {
		return nil, errors.New("not a trial")
	}
	for i, at := range t.Ranges[1:] {
		if at <= t.Ranges[i] {
			return nil, errors.New("ranges are not in order")
		}
	}
	for _, g := range t.Guilty {
		if g < 0 || g >= t.Ranges[len(t.Ranges)-1] {
			return nil, errors.New("a guilty record is none of the delivery's")
		}
	}
	return &t, nil
}

// SaveTrial returns once the trial is durable.
func (t *Table) SaveTrial(ctx context.Context, k Key, kind EmbeddingKind, trial *Trial) error {
	h, err := t.ensure(ctx, kind)
	if err != nil {
		return err
	}
	trial.Owner = h.id
	data, err := json.Marshal(trial)
	if err != nil {
		return err
	}
	temp, err := h.writeTemp(data)
	if err != nil {
		return err
	}
	if err := h.aux.Rename(temp, h.aux, trialName(k)); err != nil {
		return errors.Join(err, h.aux.Unlink(temp))
	}
	return h.aux.Sync()
}

// EndTrial forgets what was known of a delivery.
func (t *Table) EndTrial(ctx context.Context, k Key, kind EmbeddingKind) error {
	h, err := t.ensure(ctx, kind)
	if err != nil {
		return err
	}
	if err := h.aux.Unlink(trialName(k)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sweepTrials forgets deliveries that are gone, as those of a cancelled job are.
func sweepTrials(aux *disk.Dir, now time.Time) error {
	names, err := aux.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if !ourTrial.MatchString(n) {
			continue
		}
		st, err := aux.Stat(n)
		if err == nil && now.Sub(st.ModTime) > trialAge {
			err = aux.Unlink(n)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
