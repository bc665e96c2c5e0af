//go:build crashpoints

package crash

// static void segfault(void) { *(volatile int *)0 = 1; }
import "C"

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"textmill/export/disk"
)

var (
	point, times = armed(os.Getenv("CRASH_POINT"))
	passed       atomic.Int64
	deadly       = tokens(os.Getenv("CRASH_TOKENS"))
)

func armed(s string) (name string, n int64) {
	name, count, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if name != "" && err != nil {
		panic("CRASH_POINT=" + s + ": want POINT:TIMES")
	}
	return name, n
}

func tokens(s string) (ids []int32) {
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) {
		n, err := strconv.ParseInt(f, 10, 32)
		if err != nil {
			panic("CRASH_TOKENS=" + s + ": want token IDs with commas")
		}
		ids = append(ids, int32(n))
	}
	return ids
}

func tell(what string) { fmt.Fprintln(os.Stderr, "crashpoint "+what) }

// reached reports whether this is the time to die at a point.
func reached(name string) bool { return name == point && passed.Add(1) == times }

func die(name string) {
	tell(name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal is delivered
}

// Point is a place where the process may die.
func Point(name string) {
	if reached(name) {
		die(name)
	}
}

// Run is told the tokens of each row that is about to run.
func Run(ids []int32) {
	for _, id := range ids {
		if slices.Contains(deadly, id) {
			tell("deadly token")
			C.segfault()
		}
	}
	Point("run")
}

// Files makes file operations die or fail.
func Files() disk.Intercept {
	fail := failing(os.Getenv("CRASH_FILES"))
	return func(op *disk.Op, do func() error) error {
		kind := string(op.Kind)
		Point(kind)
		if op.Kind == disk.OpWrite && reached(kind+"~") {
			op.Data = op.Data[:len(op.Data)/2]
			_ = do()
			die(kind + "~")
		}
		err := fail(op, do)
		Point(kind + "+")
		return err
	}
}

func failing(s string) disk.Intercept {
	if s == "" {
		return func(_ *disk.Op, do func() error) error { return do() }
	}
	seed, oneIn := armed(s)
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil || oneIn < 1 {
		panic("CRASH_FILES=" + s + ": want SEED:ONE_IN")
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(n, 0))
	return func(op *disk.Op, do func() error) error {
		mu.Lock()
		hit, how := random.Int64N(oneIn) == 0, random.IntN(4)
		mu.Unlock()
		if !hit || op.Kind == disk.OpOpen || op.Kind == disk.OpLock {
			return do()
		}
		tell("failed " + string(op.Kind))
		switch {
		case how == 0:
			return syscall.EIO
		case how == 1:
			return syscall.ENOSPC
		case op.Kind == disk.OpWrite && how == 2:
			op.Data = op.Data[:len(op.Data)/2]
			return errors.Join(do(), syscall.ENOSPC)
		}
		return errors.Join(do(), syscall.EIO) // done, and failed all the same
	}
}

// Clock jumps.
func Clock() func() time.Time {
	s := os.Getenv("CRASH_CLOCK")
	if s == "" {
		return nil
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic("CRASH_CLOCK=" + s + ": want a seed")
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	var offset time.Duration
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(8) == 0 {
			offset = time.Duration(random.Int64N(int64(96*time.Hour))) - 48*time.Hour
			tell("clock jumped")
		}
		return time.Now().Add(offset)
	}
}
