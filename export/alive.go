package export

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"textmill/export/disk"
	"textmill/export/storage"
)

// On one machine a lock tells whether a process lives. In a bucket machines see each other's marks, but no locks:
// there whoever leaves marks keeps writing a sign of life beside them. Who has seen the same one for as long as
// silence, by its own clock, takes that process for dead. One that was stopped for so long and goes on loses nothing
// by it: its rows are committed unless another's were.
const (
	signEvery = 10 * time.Second
	silence   = time.Minute
)

var ourSign = regexp.MustCompile(`^alive-([0-9a-f]{16})$`)

func signName(id string) string { return "alive-" + id }

// life is a process's signs of life in a bucket.
type life struct {
	mu   sync.Mutex
	stop chan struct{} // closed to end it; nil before the first sign
	done chan struct{} // closed when it has ended
	over bool
}

// live returns once other machines can know that this process lives, which goes on telling it until it is hushed.
func (s *stage) live(log *slog.Logger) error {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if !s.remote || s.life.stop != nil || s.life.over {
		return nil
	}
	if err := s.sign(); err != nil {
		return fmt.Errorf("write a sign of life: %w", err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	s.life.stop, s.life.done = stop, done
	go func() {
		defer close(done)
		tick := time.NewTicker(signEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if err := s.sign(); err != nil {
					log.Warn("write a sign of life", "error", err)
				}
			}
		}
	}()
	return nil
}

// sign writes a sign that is unlike the one before.
func (s *stage) sign() error {
	return s.put(s.marks, signName(s.id), []byte(strconv.FormatInt(s.names.Add(1), 10)+"\n"))
}

// hush ends the signs of life without waiting, and says what tells that they have ended; nil where there are none.
func (s *stage) hush() <-chan struct{} {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.life.stop != nil && !s.life.over {
		close(s.life.stop)
	}
	s.life.over = true
	return s.life.done
}

// bury ends the signs of life and takes the last one away: what the process left is free at once.
func (s *stage) bury() error {
	done := s.hush()
	if done == nil {
		return nil
	}
	<-done
	return s.unmark(signName(s.id))
}

// signs is when which signs of other machines' processes were first seen.
type signs struct {
	mu   sync.Mutex
	seen map[string]sighting
}

type sighting struct {
	sign  disk.Stat
	since time.Time
}

// silent says whether a process has given no new sign of life for long.
func (s *signs) silent(marks storage.Dir, id string, now time.Time) (bool, error) {
	sign, err := marks.Stat(signName(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.seen, id) // while a bucket cannot be read nobody can tell
		if errors.Is(err, os.ErrNotExist) {
			return true, nil
		}
		return false, err
	}
	if before, known := s.seen[id]; known && before.sign.Same(sign) {
		return now.Sub(before.since) > silence, nil
	}
	if s.seen == nil {
		s.seen = map[string]sighting{}
	}
	s.seen[id] = sighting{sign, now}
	return false, nil
}

// ended says whether a process is over that left marks. Where it was one of this machine, nobody else draws
// conclusions from what it left before done is called.
func (t *Table) ended(s *stage, id string) (over bool, done func() error, err error) {
	nothing := func() error { return nil }
	if s.remote {
		_, err := s.dir.Stat(lockName(id))
		if errors.Is(err, os.ErrNotExist) { // of another machine, or swept
			over, err := t.signs.silent(s.marks, id, t.store.o.Now())
			return over, nothing, err
		}
		if err != nil {
			return false, nothing, err
		}
	}
	lock, err := s.dir.Lock(lockName(id))
	if errors.Is(err, disk.ErrLocked) {
		return false, nothing, nil
	}
	if err != nil {
		return false, nothing, err
	}
	return true, lock.Drop, nil // the lock's file stays for the sweep of what its owner left
}
