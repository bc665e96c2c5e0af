package commit

import "context"

// catchUp announces what a daemon committed that was killed before it told. Its deliveries come again, and are settled
// only after that.
func (c *Committer) catchUp(ctx context.Context) {
	defer close(c.told)
	if c.all.o.Announce == nil {
		return
	}
	if err := c.Table.Refresh(ctx); err != nil {
		return // as it will be said where the table is needed
	}
	if v := c.Table.Version(); v >= 0 {
		c.all.o.Announce(ctx, c.dataset, c.Table, v)
	}
}
