package api

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/work/rows"
)

// run gives the rows of each item, or what is wrong with the first that has none; then the others are given up by
// cancel. field is what the request calls the items.
func run(
	ctx context.Context, cancel context.CancelFunc, work rows.Work, items []input.Item, field string,
) ([][]export.Row, *failure) {
	made := make([][]export.Row, len(items))
	var waiting sync.WaitGroup
	var refusal error
	for i := range items {
		waiting.Add(1)
		err := work.Do(ctx, items[i].Record, func(list []export.Row) {
			defer waiting.Done()
			if made[i] = list; len(list) == 0 || list[0].Error != "" {
				cancel()
			}
		})
		if err != nil {
			waiting.Done()
			refusal = err
			cancel()
			break
		}
	}
	waiting.Wait()
	if errors.Is(refusal, rows.ErrBusy) {
		return nil, busy(refusal.Error())
	}
	stopped := false
	for i, list := range made {
		switch {
		case len(list) == 0:
			stopped = true
		case list[0].Error != "":
			return nil, refused(placed(jobs.ParseRecordError(list[0].Error), field, i, len(items)))
		}
	}
	if stopped {
		return nil, goingDown()
	}
	return made, nil
}

func goingDown() *failure {
	return fail(http.StatusServiceUnavailable, "the daemon is going down; try again elsewhere or later")
}

func busy(why string) *failure {
	return fail(http.StatusTooManyRequests, why+"; try again soon").named("rate_limit_exceeded")
}
