package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"textmill/export/disk"
)

// Quarantine is the mark of a group of deliveries that run with nothing else in their process, because one of them may be what
// kills its daemons. It is kept beside the table until the last of them is settled. If the process dies while they run, whoever
// finds the mark lets none of them run in so large a group again (Standing.Share).
type Quarantine struct {
	h       *handle
	name    string
	members []string
}

// quarantined is what a mark's file says.
type quarantined struct {
	Members []string `json:"members"` // hashes of their keys
	// Waits says that they ran: their rows wait for their commit, and what kills the process is not their run.
	Waits bool `json:"waits,omitempty"`
}

// Standing is what is known of a delivery that may be what kills its daemons.
type Standing struct {
	Busy bool // a process that lives runs it, or has its rows
	// Share is how large a group it may run in, 1 being alone; 0 when no process has died with it in quarantine.
	Share int
}

// splits is how many times smaller the next groups of those are with which a process died. Runs cost little, deaths cost much.
const splits = 4

var ourQuarantine = regexp.MustCompile(`^quarantine-([0-9a-f]{16})-\d+\.json$`)

// Standings says what is known of deliveries, in their order, having drawn the conclusion from groups whose process died.
func (t *Table) Standings(ctx context.Context, kind EmbeddingKind, keys []Key) ([]Standing, error) {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return nil, err
	}
	busy, err := t.elsewhere(h)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, len(keys))
	for i, k := range keys {
		if all[i].Busy = busy[k.Hash()]; all[i].Busy {
			continue
		}
		trial, _, err := t.trial(h, k)
		switch {
		case errors.Is(err, ErrOnTrial):
			all[i].Busy = true
		case err != nil:
			return nil, err
		case trial != nil:
			all[i].Share = max(trial.Share, 1)
		}
	}
	return all, nil
}

// Quarantine returns once it is durable that these deliveries are about to run. Those of them that are busy meanwhile, by index,
// must not: two processes that mark the same ones at the same time both see it.
func (t *Table) Quarantine(ctx context.Context, kind EmbeddingKind, keys []Key) (q *Quarantine, busy []int, err error) {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return nil, nil, err
	}
	q = &Quarantine{h: h, name: fmt.Sprintf("quarantine-%s-%d.json", h.id, h.names.Add(1))}
	for _, k := range keys {
		q.members = append(q.members, k.Hash())
	}
	if err = q.save(false); err == nil {
		err = h.aux.Sync()
	}
	var others map[string]bool
	if err == nil {
		others, err = t.elsewhere(h)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("mark deliveries that run in quarantine: %w", err), q.End())
	}
	for i, hash := range q.members {
		if others[hash] {
			busy = append(busy, i)
		}
	}
	return q, busy, nil
}

// Renew keeps others from the deliveries for another while (heldFor).
func (q *Quarantine) Renew() error { return q.save(false) }

// Ran says that the deliveries have run, and that their rows wait for their commit.
func (q *Quarantine) Ran() error { return q.save(true) }

// End forgets the group. A power cut may bring its mark back: the groups of those that are not settled by then are smaller.
func (q *Quarantine) End() error {
	if err := q.h.aux.Unlink(q.name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (q *Quarantine) save(waits bool) error {
	data, err := json.Marshal(quarantined{Members: q.members, Waits: waits})
	if err != nil {
		return err
	}
	return q.h.replace(q.name, data)
}

// replace gives a file of the stage new content; its name is durable once the directory is synced.
func (h *handle) replace(name string, data []byte) error {
	temp, err := h.writeTemp(data)
	if err != nil {
		return err
	}
	if err := h.aux.Rename(temp, h.aux, name); err != nil {
		return errors.Join(err, h.aux.Unlink(temp))
	}
	return nil
}

// elsewhere are the deliveries, by the hash of their keys, that other processes which live have in quarantine. What a process that
// died had there is free again, for smaller groups.
func (t *Table) elsewhere(h *handle) (map[string]bool, error) {
	names, err := h.aux.Names()
	if err != nil {
		return nil, err
	}
	busy := map[string]bool{}
	for _, name := range names {
		owner := ourQuarantine.FindStringSubmatch(name)
		if owner == nil || owner[1] == h.id {
			continue
		}
		lock, err := h.aux.Lock(owner[1] + ".lock")
		if errors.Is(err, disk.ErrLocked) {
			for _, hash := range t.heldBy(h, name) {
				busy[hash] = true
			}
			continue
		}
		if err == nil {
			err = errors.Join(t.conclude(h, name), lock.Drop()) // the lock's file stays for the sweep of what its owner left
		}
		if err != nil {
			return nil, err
		}
	}
	return busy, nil
}

// heldBy are the deliveries that a process which lives has marked, none if it was stopped long ago.
func (t *Table) heldBy(h *handle, name string) []string {
	mark, st, err := readQuarantine(h.aux, name)
	if err != nil {
		t.log.Warn("what another process has in quarantine cannot be read", "file", name, "error", err.Error())
	}
	if mark == nil || t.store.o.Now().Sub(st.ModTime) > heldFor {
		return nil
	}
	return mark.Members
}

// conclude takes up the mark of a process that died. It needs the lock of that process.
func (t *Table) conclude(h *handle, name string) error {
	mark, _, err := readQuarantine(h.aux, name)
	switch {
	case errors.Is(err, errNoMark):
		t.log.Warn("what a process that died had in quarantine cannot be read", "file", name, "error", err.Error())
	case err != nil:
		return err
	case mark != nil && !mark.Waits:
		if err := h.limit(mark.Members, max(len(mark.Members)/splits, 1)); err != nil {
			return err
		}
		t.log.Warn("a process died with deliveries in quarantine; they run in smaller groups now", "deliveries", len(mark.Members))
	}
	if err := h.aux.Unlink(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// limit has deliveries run in groups of at most some size from now on, durably.
func (h *handle) limit(hashes []string, share int) error {
	for _, hash := range hashes {
		name := trialFile(hash)
		data, _, err := readMark(h.aux, name)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errNoMark) {
			return err
		}
		if known, err := parseTrial(data); err == nil && max(known.Share, 1) <= share {
			continue
		}
		data, err = json.Marshal(Trial{Running: -1, Share: share, Owner: h.id})
		if err == nil {
			err = h.replace(name, data)
		}
		if err != nil {
			return err
		}
	}
	return h.aux.Sync()
}

// readQuarantine gives no mark when it is over since.
func readQuarantine(aux *disk.Dir, name string) (*quarantined, disk.Stat, error) {
	data, st, err := readMark(aux, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, st, nil
	}
	if err != nil {
		return nil, st, err
	}
	mark, err := parseQuarantine(data)
	return mark, st, err
}

func parseQuarantine(data []byte) (*quarantined, error) {
	var q quarantined
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoMark, err)
	}
	if len(q.Members) == 0 || slices.ContainsFunc(q.Members, func(m string) bool { return !ourTrial.MatchString(trialFile(m)) }) {
		return nil, fmt.Errorf("%w: it names no deliveries", errNoMark)
	}
	return &q, nil
}
