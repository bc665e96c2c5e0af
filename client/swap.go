package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs/queue"
)

// renewEvery is how often whoever waits for a sync's rows says so.
const renewEvery = time.Minute

// apply has what is new computed into a staging table, and swaps it in with one commit.
func (s *submission) apply(ctx context.Context, q *queue.Queue, c *difference) (err error) {
	if c.lines.Len() == 0 && c.ids.Len() == 0 {
		return nil
	}
	store, err := export.OpenStore(s.o.Export)
	if err != nil {
		return fmt.Errorf("open the tables for the swap: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if c.lines.Len() == 0 {
		return s.swap(ctx, store, nil, c)
	}
	if err := s.signCut(c); err != nil {
		return err
	}
	staging, err := store.Stage(s.o.Dataset, hex.EncodeToString(c.hash.Sum(nil)), c.from.Generation)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, staging.Close()) }()
	crash.Point("sync-staged")
	defer renewing(staging)()
	if err := s.gather(ctx, q, staging, c); err != nil {
		return fmt.Errorf("%w; dataset %s is as it was, and the same command again goes on from here", err, s.o.Dataset)
	}
	crash.Point("sync-gathered")
	if err := s.swap(ctx, store, staging, c); err != nil {
		return err
	}
	crash.Point("sync-swapped")
	return staging.Remove()
}

// signCut has the sync gone on with only where it cuts the same shards, which are known by their payloads.
func (s *submission) signCut(c *difference) error {
	cut, err := s.cutter(syncJob(s.o.Dataset, noSync), s.maxPayload)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.hash, "cut %d %d %d\n", cut.records, cut.target, cut.most)
	return err
}

// renewing says now and then that somebody waits for a staging table, until the function that it gives is called.
func renewing(st *export.Staging) (stop func()) {
	ended, over := make(chan struct{}), sync.WaitGroup{}
	over.Go(func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = st.Renew() // one of many
			case <-ended:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(ended)
		over.Wait()
	})
}

// gather publishes the records and waits until the staging table has their rows.
func (s *submission) gather(ctx context.Context, q *queue.Queue, st *export.Staging, c *difference) error {
	s.syncID, s.o.Job = st.ID, syncJob(s.o.Dataset, st.ID)
	s.summary.Job = s.o.Job
	s.feed = func(cut *cutter) error {
		return c.lines.Each(func(item []byte) error {
			invalid, dimensions, line, err := unpackLine(item)
			if err == nil {
				err = cut.turnTo(dimensions)
			}
			if err != nil {
				return err
			}
			cut.line = append(cut.line[:0], line...)
			return cut.carry(invalid)
		})
	}
	if err := q.EnsureStreams(ctx, s.o.Streams); err != nil {
		return err
	}
	fmt.Fprintf(s.o.progress(), "job %s: %s of %d records with %s, to be swapped into dataset %s\n", s.o.Job, s.o.Task,
		c.lines.Len(), s.o.Model, s.o.Dataset)
	err := s.run(ctx, q)
	s.tell()
	if err != nil {
		return err
	}
	missing, err := st.Missing(ctx, s.keys)
	if err == nil && missing > 0 {
		err = fmt.Errorf("%w: %d of %d shards are not in %s, though they are said to be committed: does the daemon write elsewhere?",
			ErrUnseen, missing, s.summary.Shards, st.Path())
	}
	return err
}

// keys are the identities of all shards.
func (s *submission) keys(each func(export.Key)) {
	for n, own := range s.progress.own {
		each(export.PayloadKey(s.o.Task, s.o.Model, s.o.Job, shard{number: n}.id(), own.sum))
	}
}

// swap makes the change in one commit. A nil staging brings no rows.
func (s *submission) swap(ctx context.Context, store *export.Store, st *export.Staging, c *difference) (err error) {
	t, err := store.Table(s.o.Dataset)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	r := export.Rewrite{
		Operation: "MERGE", Take: export.Selection{Records: c.records(s.o.Task)},
		Expect:     map[string]string{export.GenerationKey: c.from.Generation},
		Properties: map[string]string{export.GenerationKey: export.NewGeneration()},
	}
	if st != nil {
		r.Properties[export.GenerationKey] = st.ID
		if r.Vectors, r.Put, err = st.Rows(ctx); err != nil {
			return err
		}
	}
	done, err := t.Rewrite(ctx, r)
	if err == nil {
		c.Version, s.generation = done.Version, r.Properties[export.GenerationKey]
		return nil
	}
	if !errors.Is(err, export.ErrConflict) {
		return err
	}
	return s.conflict(ctx, st, c, err)
}

// conflict finds out who was faster: somebody with the very same sync, which is done then, or another.
func (s *submission) conflict(ctx context.Context, st *export.Staging, c *difference, why error) error {
	now, err := export.Generation(ctx, s.table)
	switch {
	case err != nil:
		return errors.Join(why, err)
	case st != nil && now.Generation == st.ID:
		c.Version, s.generation = now.Version, now.Generation
		return nil
	case st != nil && now.Generation != c.from.Generation: // never to be taken up again
		err = st.Remove()
	}
	return errors.Join(fmt.Errorf("%w: nothing was swapped in; the same command again compares anew: %w", ErrOvertaken, why), err)
}
