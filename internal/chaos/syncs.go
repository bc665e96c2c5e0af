package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/jobs"
)

// The kinds of faults that syncs and replaced records are to others, and others to them, while daemons commit.
const (
	synced        = "two syncs and a compaction at once"
	syncedAgainst = "delta-rs: delete, OPTIMIZE, vacuum beside a sync"
	replaced      = "records replaced three times at once"
)

// syncPoints are where a sync may die.
var syncPoints = slices.Concat(upkeepPoints, []point{
	{"sync-compared", 1}, {"sync-staged", 1}, {"sync-gathered", 1}, {"sync-swapped", 1}, {"sync-compared", 1},
	{"sync-gathered", 1},
})

// syncs has records changed by two syncs at once, while a third process puts files together, or by one beside
// delta-rs, which deletes others. Each sync may die, or lose to others, and is then run again. Afterwards what first
// brought the records is published again, and must not bring them back.
func (c *cell) syncs(ctx context.Context, kind string) error {
	first, second := c.victims(), c.victims()
	work := []func() error{c.sync(ctx, first)}
	if kind == synced {
		work = append(work, c.sync(ctx, second), c.upkeep(ctx, []string{"compact"}))
	} else {
		for _, id := range second {
			c.wants[id].deleted = true
		}
		work = append(work, c.rework(ctx, second))
	}
	again := c.messagesOf(slices.Concat(first, second))
	if err := atOnce(work); err != nil {
		return err
	}
	return c.publish(ctx, again)
}

// renew gives records other texts.
func (c *cell) renew(ids []string) (lines []string) {
	for _, id := range ids {
		w := c.wants[id]
		n := c.random.IntN(len(c.camp.Refs.Texts))
		w.text, w.vector = c.camp.Refs.Texts[n], c.camp.Refs.Vectors[n]
		lines = append(lines, string(encode(record{id, w.text})))
	}
	return lines
}

// sync makes the texts of some records others by `submit --sync`.
func (c *cell) sync(ctx context.Context, ids []string) func() error {
	if len(ids) == 0 { // there was nobody left to choose
		return func() error { return nil }
	}
	c.making.Lock()
	lines := c.renew(ids)
	c.making.Unlock()
	return c.insist(ctx, "submit --sync beside the daemons", syncPoints, func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, c.camp.Binary, "submit", "--sync", "--quiet", "--model", Model, "--dataset", dataset,
			"--nats-url", c.clean.url(), "--format", "jsonl", "-")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		cmd.Env = c.client()
		return cmd
	})
}

// client is the environment of a command of the daemons' machine.
func (c *cell) client() []string {
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + c.camp.Home, "TEXTMILL_HOME=" + c.camp.Home}
	return slices.Concat(env, c.exports(0), c.camp.Env)
}

// replace publishes three messages with the same records, and other texts in each: those that were published last are
// to stay, in whatever order daemons come to them, and whoever dies.
func (c *cell) replace(ctx context.Context) error {
	c.making.Lock()
	ids := c.victims()
	w := c.waves
	c.waves++
	subject := jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: fmt.Sprint("w", w)}.String()
	var all []message
	for shard := range 3 {
		m := shardMessage{Job: fmt.Sprint("w", w), Shard: shard, Dataset: dataset, OnRepeat: naming.RepeatReplace}
		for _, line := range c.renew(ids) {
			m.Records = append(m.Records, []byte(line))
		}
		all = append(all, message{subject: subject, data: encode(m)})
	}
	c.making.Unlock()
	if len(ids) == 0 {
		return nil
	}
	for _, m := range all { // one after the other: the server's order is what counts
		if err := c.publish(ctx, []message{m}); err != nil {
			return err
		}
	}
	return nil
}
