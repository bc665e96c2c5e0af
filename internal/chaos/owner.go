package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// restore puts an older copy of the broker's store in place: what was settled since is there again, what was published
// since is gone, and its sequence numbers are used again.
func (c *cell) restore(ctx context.Context) error {
	c.broker.proc.kill()
	backup := filepath.Join(c.dir, "backup")
	if err := copyTree(c.broker.store(), backup); err != nil {
		return err
	}
	if err := c.startBroker(); err != nil {
		return err
	}
	if err := c.publish(ctx, c.wave(false)); err != nil {
		return err
	}
	if err := pause(ctx, c.upTo(1500*time.Millisecond)); err != nil {
		return err
	}
	c.broker.proc.kill()
	if err := copyTree(backup, c.broker.store()); err != nil {
		return err
	}
	if err := c.startBroker(); err != nil {
		return err
	}
	return c.publish(ctx, c.recent)
}

// remakeTable deletes a table while it is written to. Everything that was for it is then published again.
func (c *cell) remakeTable(ctx context.Context) error {
	name := fmt.Sprintf("gone%d", c.waves)
	c.places[name] = true
	before := c.recent
	wave := c.waveFor(name, false)
	c.recent = before
	if err := c.publish(ctx, wave); err != nil {
		return err
	}
	if err := pause(ctx, c.upTo(600*time.Millisecond)); err != nil {
		return err
	}
	path := filepath.Join(c.tables(), name)
	if c.random.IntN(2) == 0 {
		if err := os.Rename(path, path+"-trash"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		path += "-trash"
	}
	for err := os.RemoveAll(path); err != nil; err = os.RemoveAll(path) { // files appear while it is emptied
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	if err := c.empty(ctx); err != nil {
		return err
	}
	return c.publish(ctx, wave)
}

// maintain has delta-rs do to the table what its owner may do.
func (c *cell) maintain(ctx context.Context, kind string) error {
	what := map[string]string{checkpointed: "checkpoint", optimized: "optimize", cleaned: "clean"}[kind]
	_, err := c.camp.deltars.ask(ctx, what, c.table(dataset))
	if err == nil {
		c.struck(kind)
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	c.struck(kind + " (that lost its own race)")
	return nil
}

// fillDisk leaves little room or none for a while.
func (c *cell) fillDisk(ctx context.Context) error {
	path := filepath.Join(c.tables(), "filler")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	left := []int64{0, 4 << 10, 40 << 10, 200 << 10}[c.random.IntN(4)]
	var size int64
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	err = errors.Join(f.Truncate(max(size-left, 0)), f.Close(), pause(ctx, 500*time.Millisecond+c.upTo(2*time.Second)))
	return errors.Join(err, os.Remove(path))
}
