package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"textmill/config"
	"textmill/jobs/queue"
)

// ErrOtherTables: the rows of the queue go to another place than export.uri.
var ErrOtherTables = errors.New("the queue belongs to other tables")

// ErrServed: daemons are at work whose rows would go elsewhere.
var ErrServed = errors.New("daemons serve the queue")

// openTables opens the tables' place and the queue, whose rows all go to one place: they are bound to each other at
// the first start, by an id that lies with the tables, whatever these are called.
func (d *Daemon) openTables(ctx context.Context, clients int) error {
	if err := d.openStore(); err != nil {
		return err
	}
	if err := d.openQueue(ctx, clients); err != nil {
		return err
	}
	bound, err := d.queue.Binding(ctx)
	if errors.Is(err, queue.ErrNotFound) {
		if bound, err = d.bind(ctx, 0); errors.Is(err, queue.ErrChanged) { // another was faster
			bound, err = d.queue.Binding(ctx)
		}
	}
	if errors.Is(err, queue.ErrFull) {
		d.log.WarnContext(ctx, "the queue cannot be bound to its tables: nothing will tell if another daemon of it has another export.uri",
			"error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.sameTables(bound); err != nil {
		return err
	}
	_, err = d.store.Identify() // and so it remains, should the directory be made anew
	return err
}

// stillBound looks whether the queue was bound anew while the daemon began, whom nobody could see before it announced
// itself.
func (d *Daemon) stillBound(ctx context.Context) error {
	bound, err := d.queue.Binding(ctx)
	if errors.Is(err, queue.ErrNotFound) { // there was no room for one
		return nil
	}
	if err != nil {
		return err
	}
	return d.sameTables(bound)
}

func (d *Daemon) sameTables(bound queue.Binding) error {
	id, err := d.store.Identity()
	if err == nil && id != bound.ID {
		err = d.otherTables(bound, id)
	}
	return err
}

// bind has the queue belong to the tables at export.uri from now on, in the place of what it was bound to.
func (d *Daemon) bind(ctx context.Context, revision uint64) (b queue.Binding, err error) {
	if b.ID, err = d.store.Identify(); err != nil {
		return b, err
	}
	b.URI, b.At, b.Revision = d.store.Path(), time.Now().UTC().Truncate(time.Second), revision
	if b.Host, err = os.Hostname(); err != nil {
		b.Host = "?"
	}
	return b, d.queue.Bind(ctx, b)
}

func (d *Daemon) otherTables(b queue.Binding, id string) error {
	place := d.store.Path()
	here := "which is another place (id " + id + ")"
	if id == "" {
		here = "which has no id: it is another place, or what should be there is not mounted"
	}
	return fmt.Errorf("%w: %s is bound to the tables with the id %s, at %.200q of %.80q when it was bound (%s), and export.uri is %s, %s. "+
		"Rows would be split between both. Set export.uri to where those tables are now, or, if rows are to go to %s from now on, "+
		"stop the queue's daemons and run textmill daemon --bind-tables once with this configuration",
		ErrOtherTables, d.queue.Server(), b.ID, b.URI, b.Host, b.At.Format(time.RFC3339), place, here, place)
}

// answerTime is how long daemons have to say that they serve.
const answerTime = 2 * time.Second

// BindTables has the queue of a configuration belong to its tables, whatever it was bound to, and says so in a line.
// ErrServed where a daemon is at work.
func BindTables(ctx context.Context, cfg config.Config, log *slog.Logger, version string) (said string, err error) {
	d := newDaemon(cfg, log, version)
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.openStore(); err != nil {
		return "", err
	}
	if err := d.openQueue(ctx, 0); err != nil {
		return "", err
	}
	if err := d.unserved(ctx, "stop them first, since they go on writing to the tables of before"); err != nil {
		return "", err
	}
	before, err := d.queue.Binding(ctx)
	if err != nil && !errors.Is(err, queue.ErrNotFound) && before.Revision == 0 { // one that cannot be read is replaced
		return "", err
	}
	b, err := d.bind(ctx, before.Revision)
	if err != nil {
		return "", fmt.Errorf("bind the queue to the tables of %s: %w", d.store.Path(), err)
	}
	if err := d.unserved(ctx, "one began while the queue was bound; start it again"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is bound to the tables of %s, id %s", d.queue.Server(), d.store.Path(), b.ID), nil
}

// unserved is ErrServed where a daemon answers, with what to do about it.
func (d *Daemon) unserved(ctx context.Context, mend string) error {
	served, err := d.queue.ServingUntil(ctx, answerTime, func(queue.Served) bool { return true })
	if err == nil && len(served) > 0 {
		err = fmt.Errorf("%w %s: %s", ErrServed, d.queue.Server(), mend)
	}
	return err
}
