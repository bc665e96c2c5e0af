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
	"textmill/export/storage"
)

// Quarantine is the mark of a group of deliveries that run with nothing else in their process, because one of them may
// be what kills its daemons. It is kept beside the table until the last of them is settled. If the process dies while
// they run, whoever finds the mark lets none of them run in so large a group again (Standing.Share).
type Quarantine struct {
	s       *stage
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

// splits is how many times smaller the next groups of those are with which a process died. Runs cost little, deaths
// cost much.
const splits = 4

var ourQuarantine = regexp.MustCompile(`^quarantine-([0-9a-f]{16})-\d+\.json$`)

// Standings says what is known of deliveries, in their order, having drawn the conclusion from groups whose process
// died.
func (t *Table) Standings(ctx context.Context, kind EmbeddingKind, keys []Key) ([]Standing, error) {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return nil, err
	}
	busy, isolations, err := t.elsewhere(h.stage())
	if err != nil {
		return nil, err
	}
	all := make([]Standing, len(keys))
	for i, k := range keys {
		if all[i].Busy = busy[k.Hash()]; all[i].Busy || !isolations[isolationName(k)] {
			continue
		}
		isolation, _, err := t.isolation(h, k)
		switch {
		case errors.Is(err, ErrQuarantined):
			all[i].Busy = true
		case err != nil:
			return nil, err
		case isolation != nil:
			all[i].Share = max(isolation.Share, 1)
		}
	}
	return all, nil
}

// Quarantine returns once it is durable that these deliveries are about to run. Those of them that are busy meanwhile,
// by index, must not: two processes that mark the same ones at the same time both see it.
func (t *Table) Quarantine(ctx context.Context, kind EmbeddingKind, keys []Key) (q *Quarantine, busy []int,
	err error) {
	h, err := t.marks(ctx, kind)
	if err != nil {
		return nil, nil, err
	}
	s := h.stage()
	q = &Quarantine{s: s, name: fmt.Sprintf("quarantine-%s-%d.json", s.id, s.names.Add(1))}
	for _, k := range keys {
		q.members = append(q.members, k.Hash())
	}
	if err = s.live(t.log); err == nil {
		err = q.save(false)
	}
	if err == nil {
		err = s.marks.Sync()
	}
	var others map[string]bool
	if err == nil {
		others, _, err = t.elsewhere(s)
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

// End forgets the group. A power cut may bring its mark back: the groups of those that are not settled by then are
// smaller.
func (q *Quarantine) End() error {
	return q.s.unmark(q.name)
}

func (q *Quarantine) save(waits bool) error {
	data, err := json.Marshal(quarantined{Members: q.members, Waits: waits})
	if err != nil {
		return err
	}
	return q.s.put(q.s.marks, q.name, data)
}

// elsewhere are the deliveries, by the hash of their keys, that other processes which live have in quarantine. What a
// process that died had there is free again, for smaller groups. isolations are the names of those files.
func (t *Table) elsewhere(s *stage) (busy, isolations map[string]bool, err error) {
	names, err := s.marks.Names("")
	if err != nil {
		return nil, nil, err
	}
	busy, isolations = map[string]bool{}, map[string]bool{}
	for _, name := range names {
		if ourIsolation.MatchString(name) {
			isolations[name] = true
			continue
		}
		owner := ourQuarantine.FindStringSubmatch(name)
		if owner == nil || owner[1] == s.id {
			continue
		}
		over, done, err := t.ended(s, owner[1])
		if err != nil {
			return nil, nil, err
		}
		if !over {
			for _, hash := range t.heldBy(s, name) {
				busy[hash] = true
			}
			continue
		}
		limited, err := t.conclude(s, name)
		if err = errors.Join(err, done()); err != nil {
			return nil, nil, err
		}
		for _, hash := range limited {
			isolations[isolationFile(hash)] = true
		}
	}
	return busy, isolations, nil
}

// heldBy are the deliveries that a process which lives has marked, none if it was stopped long ago.
func (t *Table) heldBy(s *stage, name string) []string {
	mark, st, err := readQuarantine(s.marks, name)
	if err != nil {
		t.log.Warn("what another process has in quarantine cannot be read", "file", name, "error", err)
	}
	if mark == nil || t.store.o.Now().Sub(st.ModTime) > heldFor {
		return nil
	}
	return mark.Members
}

// conclude takes up the mark of a process that died, and names the deliveries whose groups are smaller now.
func (t *Table) conclude(s *stage, name string) (limited []string, err error) {
	mark, _, err := readQuarantine(s.marks, name)
	switch {
	case errors.Is(err, errNoMark):
		t.log.Warn("what a process that died had in quarantine cannot be read", "file", name, "error", err)
	case err != nil:
		return nil, err
	case mark != nil && !mark.Waits:
		limited = mark.Members
		if err := s.limit(limited, max(len(limited)/splits, 1)); err != nil {
			return nil, err
		}
		t.log.Warn("a process died with deliveries in quarantine; they run in smaller groups now", "deliveries",
			len(mark.Members))
	}
	return limited, s.unmark(name)
}

// limit has deliveries run in groups of at most some size from now on, durably.
func (s *stage) limit(hashes []string, share int) error {
	for _, hash := range hashes {
		name := isolationFile(hash)
		data, _, err := readMark(s.marks, name)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errNoMark) {
			return err
		}
		if known, err := parseIsolation(data); err == nil && max(known.Share, 1) <= share {
			continue
		}
		data, err = json.Marshal(Isolation{Running: -1, Share: share, Owner: s.id})
		if err == nil {
			err = s.put(s.marks, name, data)
		}
		if err != nil {
			return err
		}
	}
	return s.marks.Sync()
}

// readQuarantine gives no mark when it is over since.
func readQuarantine(marks storage.Dir, name string) (*quarantined, disk.Stat, error) {
	data, st, err := readMark(marks, name)
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
	if len(q.Members) == 0 || slices.ContainsFunc(q.Members,
		func(m string) bool { return !ourIsolation.MatchString(isolationFile(m)) }) {
		return nil, fmt.Errorf("%w: it names no deliveries", errNoMark)
	}
	return &q, nil
}
