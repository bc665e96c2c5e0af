package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// The kinds of faults that the upkeep of a table is to others, and others to it, while daemons commit.
const (
	rewritten = "two deletes and a compaction at once"
	reworked  = "delta-rs: delete, OPTIMIZE, vacuum beside a delete"
)

// upkeepPoints are where a command that rewrites a table may die.
var upkeepPoints = []point{
	{"rewrite-found", 1}, {"rewrite-file", 3}, {"rewrite-written", 1}, {"compact-written", 2}, {"rewrite-placed", 2},
	{"rewrite-published", 2}, {"create+", 8}, {"write", 40}, {"write~", 40}, {"fsync", 8}, {"link", 2}, {"link+", 2},
	{"rename", 4}, {"rename+", 4}, {"unlink", 6}, {"syncdir", 4},
}

// keepUp deletes records, half of them by each of two processes, while a third puts files together, each of which may
// die and is then run again. Afterwards what was deleted is published again, and must stay away. Where one of the
// processes is delta-rs, files are put together by it alone: its OPTIMIZE writes rows twice beside any other, also
// beside another of its own (1.6.6; docs/chaos.md shows it).
func (c *cell) keepUp(ctx context.Context, kind string) error {
	first, second := c.victims(), c.victims()
	with := func(ids []string) []string {
		args := []string{"delete"}
		for _, id := range ids {
			args = append(args, "--id", id)
		}
		return args
	}
	work := []func() error{c.upkeep(ctx, with(first))}
	if kind == rewritten {
		work = append(work, c.upkeep(ctx, with(second)), c.upkeep(ctx, []string{"compact"}))
	} else {
		work = append(work, c.rework(ctx, second))
	}
	if err := atOnce(work); err != nil {
		return err
	}
	gone := slices.Concat(first, second)
	for _, id := range gone {
		c.wants[id].deleted = true
	}
	return c.publish(ctx, c.messagesOf(gone))
}

// rework has delta-rs delete records, put files together and clean up.
func (c *cell) rework(ctx context.Context, ids []string) func() error {
	return func() error {
		_, err := c.camp.deltars.askFor(ctx, question{What: "rework", Path: c.table(dataset), IDs: ids})
		return err
	}
}

func atOnce(work []func() error) error {
	errs := make([]error, len(work))
	var all sync.WaitGroup
	for i, one := range work {
		all.Go(func() { errs[i] = one() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// victims are some records whose rows are in the table.
func (c *cell) victims() (ids []string) {
	for range 60 {
		id := fmt.Sprintf("%d-%d-%d", c.random.IntN(c.settled), c.random.IntN(shardsPerWave), c.random.IntN(recordsPerShard))
		if w := c.wants[id]; w != nil && w.dataset == dataset && w.fate == row && !w.deleted && !w.rerun && !w.chosen {
			w.chosen = true
			ids = append(ids, id)
		}
		if len(ids) == 6 {
			break
		}
	}
	return ids
}

// messagesOf are the messages that brought records.
func (c *cell) messagesOf(ids []string) (all []message) {
	for _, m := range c.all {
		if slices.ContainsFunc(ids, func(id string) bool { return bytes.Contains(m.data, []byte(`{"id":"`+id+`",`)) }) {
			all = append(all, m)
		}
	}
	return all
}

// tries is how often a command may lose to others, or die, before it must come through.
const tries = 30

// upkeep runs a command on the table until it has come through.
func (c *cell) upkeep(ctx context.Context, args []string) func() error {
	if len(args) == 1 && args[0] == "delete" { // there was nobody left to choose
		return func() error { return nil }
	}
	name := "table " + args[0] + " beside the daemons"
	args = append([]string{"table", args[0], c.table(dataset), "--set", "export.scratch=" + c.scratch(0)}, args[1:]...)
	return c.insist(ctx, name, upkeepPoints, func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, c.camp.Binary, args...)
		cmd.Env = append(append(os.Environ(), "TEXTMILL_HOME="+c.camp.Home), c.camp.Env...)
		return cmd
	})
}

// insist runs a command, whose first lives may end at some points, until it has come through.
func (c *cell) insist(ctx context.Context, name string, ends []point, make func() *exec.Cmd) func() error {
	var arms []string // of its first lives
	for range c.random.IntN(3) {
		p := ends[c.random.IntN(len(ends))]
		arms = append(arms, fmt.Sprintf("%s:%d", p.name, 1+c.random.IntN(p.most)))
	}
	return func() error {
		var said string
		for try := range tries {
			cmd := make()
			if try < len(arms) {
				cmd.Env = append(cmd.Env, "CRASH_POINT="+arms[try])
			}
			out, err := cmd.CombinedOutput()
			if err == nil {
				c.struck(name)
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for line := range strings.Lines(string(out)) {
				if hit, ok := strings.CutPrefix(line, "crashpoint "); ok {
					c.hit(strings.TrimSpace(hit))
				}
			}
			said = string(out)
			if err := pause(ctx, time.Duration(try)*20*time.Millisecond); err != nil {
				return err
			}
		}
		return fmt.Errorf("%s does not come through in %d tries: %s", name, tries, said)
	}
}

// digest is what the rows of a table, but for errors, should come to: a hash over their ids and texts.
func (c *cell) digest(place string) int64 {
	var lines []string
	for id, w := range c.wants {
		if w.dataset == place && w.fate == row && !w.deleted && (!w.open || w.rows > 0) {
			lines = append(lines, strings.TrimPrefix(id, Twin+"/")+"\t"+w.text)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
}
