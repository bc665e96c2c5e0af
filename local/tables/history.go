package tables

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"textmill/export"
	"textmill/ground/plain"
	"textmill/local"
)

// commitAnswer is what programs are told of a commit, a line each.
type commitAnswer struct {
	Version    int64     `json:"version"`
	Time       time.Time `json:"time"`
	Operation  string    `json:"operation"`
	Engine     string    `json:"engine"`
	Added      int       `json:"files_added"`
	Removed    int       `json:"files_removed"`
	Rows       int64     `json:"rows_added"` // in the files added
	Settled    int       `json:"settled"`
	DataChange bool      `json:"data_change"`
}

// History writes what the newest commits did to a table, newest first; most 0 is all that its log still has.
func History(ctx context.Context, uri string, most int, out io.Writer, asJSON bool) error {
	if most < 0 {
		return fmt.Errorf("%w: the last %d commits", local.ErrUsage, most)
	}
	all, err := export.History(ctx, uri, most)
	if err != nil {
		return err
	}
	if asJSON {
		for _, c := range all {
			if err := plain.JSON(out, commitAnswer(c)); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tTIME\tOPERATION\tFILES ADDED\tREMOVED\tROWS ADDED\tSETTLED\tENGINE")
	for _, c := range all {
		if err := plain.Row(w, c.Version, c.Time.Format(time.RFC3339), c.Operation, c.Added, c.Removed, c.Rows, c.Settled,
			c.Engine); err != nil {
			return err
		}
	}
	return w.Flush()
}
