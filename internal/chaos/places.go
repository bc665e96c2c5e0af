package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"textmill/ground/naming"
	"textmill/jobs"
)

// many is how many datasets a cell publishes to at a time that may open far fewer.
const many = 40

// toMany makes a message of its own for each of many datasets.
func (c *cell) toMany() []message {
	c.making.Lock()
	defer c.making.Unlock()
	w := c.waves
	c.waves++
	m := shardMessage{Job: fmt.Sprintf("many%d", w), Shards: many}
	subject := jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: m.Job}.String()
	var all []message
	for n := range many {
		m.Shard, m.Dataset = n, fmt.Sprintf("many%d", n)
		c.places[m.Dataset] = true
		m.Records = nil
		for i := range 2 {
			m.Records = append(m.Records, c.record(fmt.Sprintf("many-%d-%d-%d", w, n, i), m.Dataset, row))
		}
		all = append(all, message{subject: subject, data: encode(m)})
	}
	c.all = append(c.all, all...)
	return all
}

// loseRoot takes the directory of all tables away while they are written to. Its daemons make it anew, or somebody
// does.
func (c *cell) loseRoot(ctx context.Context) error {
	root := c.tables()
	trash := fmt.Sprintf("%s-trash%d", root, c.waves)
	how := c.random.IntN(3)
	if how > 0 {
		if err := os.Rename(root, trash); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if how > 1 {
		if err := os.Mkdir(root, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if how > 0 {
		root = trash
	}
	for err := os.RemoveAll(root); err != nil; err = os.RemoveAll(root) { // files appear while it is emptied
		if err := pause(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// again publishes everything that this cell ever did, for tables that are gone: what the new ones hold must stay
// single.
func (c *cell) again(ctx context.Context) error {
	if err := c.empty(ctx); err != nil {
		return err
	}
	return c.publish(ctx, c.all)
}

// limited has a daemon open few files.
func (c *cell) limited(args []string) []string {
	if c.Files == 0 {
		return args
	}
	return append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, c.Files), filepath.Base(args[0])},
		args...)
}
