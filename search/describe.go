package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"textmill/export/scan"
)

// describe reads what the winners say beside their vectors, each row once.
func (p *pass) describe(ctx context.Context, workers int) ([][]Hit, error) {
	var places []place
	lists := make([][]candidate, len(p.best))
	for i := range p.best {
		lists[i] = p.best[i].sorted()
		for _, c := range lists[i] {
			places = append(places, c.place)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.group, b.group), cmp.Compare(a.row, b.row))
	})
	places = slices.Compact(places)
	rows := make([]scan.Row, len(places))
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(workers)
	for from := 0; from < len(places); {
		to := from
		for to < len(places) && places[to].file == places[from].file {
			to++
		}
		of, into := places[from:to], rows[from:to]
		all.Go(func() error { return p.rows(ctx, of, into) })
		from = to
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	at := make(map[place]int, len(places))
	for i, where := range places {
		at[where] = i
	}
	hits := make([][]Hit, len(lists))
	for i, list := range lists {
		for _, c := range list {
			hits[i] = append(hits[i], Hit{Score: float64(c.score), File: p.table.Files[c.place.file].Path,
				Row: rows[at[c.place]]})
		}
	}
	return hits, nil
}

// rows reads the rows of one file.
func (p *pass) rows(ctx context.Context, places []place, into []scan.Row) error {
	live := p.table.Files[places[0].file]
	f, closed, err := p.table.Open(live)
	if err != nil {
		return err
	}
	defer closed()
	for from := 0; from < len(places); {
		var wanted []int64
		to := from
		for to < len(places) && places[to].group == places[from].group {
			wanted = append(wanted, int64(places[to].row))
			to++
		}
		next := from
		err := f.Rows(ctx, int(places[from].group), wanted, func(r scan.Row) {
			into[next] = r
			next++
		})
		if err != nil {
			return fmt.Errorf("%s: %w", live.Path, err)
		}
		from = to
	}
	return nil
}
