package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

const (
	childDir  = "TEXTMILL_TEST_EXPORT_CHILD"
	childSeed = "TEXTMILL_TEST_EXPORT_SEED"
	killKeys  = 60
)

// TestMain is also the program that the kill tests start and kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child commits every key in an order of its own, several at a time, and big ones through spools, until all are there.
func child(dir string) error {
	ctx := context.Background()
	seed, err := strconv.ParseUint(os.Getenv(childSeed), 10, 64)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	s, err := OpenStore(Options{URI: dir, CheckpointEvery: 3, PartBytes: 4000})
	if err != nil {
		return err
	}
	if _, err := s.Sweep(ctx); err != nil {
		return err
	}
	tab, err := s.Table("docs")
	if err != nil {
		return err
	}
	order := rng.Perm(killKeys)
	for len(order) > 0 {
		n := min(1+rng.IntN(4), len(order))
		if err := commitSome(ctx, tab, order[:n], rng.IntN(3) == 0); err != nil {
			return err
		}
		order = order[n:]
	}
	return s.Close()
}

func commitSome(ctx context.Context, tab *Table, shards []int, spool bool) error {
	b, err := tab.Begin(ctx, EmbeddingFloat32)
	if err != nil {
		return err
	}
	defer b.Abort()
	for i, n := range shards {
		shard := fmt.Sprint(n)
		if i > 0 || !spool {
			if err := b.Add(key(shard), sample(shard, 10)); err != nil {
				return err
			}
			continue
		}
		sp, err := tab.Spool(ctx, key(shard), EmbeddingFloat32)
		if err != nil {
			return err
		}
		rows := sample(shard, 10)
		if err := errors.Join(sp.Append(rows[:5]), sp.Append(rows[5:]), b.AddSpool(sp)); err != nil {
			return err
		}
	}
	_, err = b.Commit(ctx)
	return err
}

// startChild runs a process that commits to the tables in dir, and tells when it has ended.
func startChild(t *testing.T, dir string, seed uint64) (*exec.Cmd, chan error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childSeed, seed))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return cmd, done
}

// Processes that commit the same deliveries to one table are killed again and again, at any moment.
func TestKilledProcessesLoseAndDoubleNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	start := func() (*exec.Cmd, chan error) { return startChild(t, dir, rng.Uint64()) }
	finished := 0
	for kills := 0; kills < 40; {
		cmd, done := start()
		rival, rivalDone := start()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("a process that was not killed: %v", err)
			}
			finished++
		case <-time.After(time.Duration(5+rng.IntN(250)) * time.Millisecond):
			_ = cmd.Process.Kill() // it may have ended meanwhile
			if <-done == nil {
				finished++
			}
		}
		_ = rival.Process.Kill()
		if <-rivalDone == nil {
			finished++
		}
		kills += 2
		tab := table(t, openStore(t, dir))
		if err := tab.Refresh(t.Context()); err != nil {
			t.Fatalf("after %d kills: %v", kills, err)
		}
	}
	cmd, done := start()
	if err := <-done; err != nil {
		t.Fatalf("the last process, %d: %v", cmd.Process.Pid, err)
	}
	t.Logf("%d processes came to their end", finished)
	s := openStore(t, dir)
	tab := table(t, s)
	var all []string
	for i := range killKeys {
		all = append(all, fmt.Sprint(i))
	}
	holds(t, tab, all...)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Unnamed) > 0 {
		t.Errorf("a sweep left %v", v.Unnamed)
	}
	holds(t, tab, all...)
}
