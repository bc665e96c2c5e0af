package housekeeping

import (
	"context"
	"time"

	"textmill/export"
)

// until is how long it is from a time to the next beginning of the window of a day, 0 within it, and when that then
// ends.
func (k *Keeper) until(now time.Time) (wait time.Duration, end time.Time) {
	year, month, day := now.Date()
	for ahead := -1; ; ahead++ {
		begin := time.Date(year, month, day+ahead, 0, 0, 0, 0, now.Location()).Add(k.o.CompactFrom)
		if end = begin.Add(k.o.CompactFor); now.Before(end) {
			return max(0, begin.Sub(now)), end
		}
	}
}

// compactDaily puts small files together while the day's window lasts, until ctx ends.
func (k *Keeper) compactDaily(ctx context.Context) {
	if k.o.CompactFor == 0 {
		return
	}
	for {
		wait, end := k.until(time.Now())
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		k.Compact(ctx, end)
		timer.Reset(time.Until(end)) // once a day
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// Compact goes through all datasets, and begins nothing after a time. What others change meanwhile is left to the next
// day.
func (k *Keeper) Compact(ctx context.Context, end time.Time) {
	datasets, err := k.o.Store.Datasets()
	if err != nil {
		k.o.Log.WarnContext(ctx, "small files are not put together", "error", err)
		return
	}
	for _, name := range datasets {
		if ctx.Err() != nil || !time.Now().Before(end) {
			return
		}
		if err := k.compact(ctx, name, end); err != nil && ctx.Err() == nil {
			k.o.Log.WarnContext(ctx, "small files are not put together", "dataset", name, "error", err)
		}
	}
}

func (k *Keeper) compact(ctx context.Context, name string, end time.Time) error {
	t, err := k.o.Store.Table(name)
	if err != nil {
		return err
	}
	begun := time.Now()
	done, err := t.Compact(ctx, export.CompactOptions{Until: end})
	if done.Commits > 0 {
		k.o.Log.InfoContext(ctx, "small files put together", "dataset", name, "version", done.Version, "files", done.Removed,
			"by", done.Added, "rows", done.Rows, "took", time.Since(begun))
	}
	if closeErr := t.Close(); err == nil {
		err = closeErr
	}
	return err
}
