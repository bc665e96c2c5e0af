package export

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"

	"textmill/export/delta"
)

// Commit is one entry of a table's log.
type Commit struct {
	Version    int64
	Time       time.Time // as its writer says; zero where it does not
	Operation  string
	Engine     string
	Added      int   // files
	Removed    int   // files
	Rows       int64 // in the files added, as far as the log tells
	Settled    int   // identities of deliveries and verdicts
	DataChange bool  // it holds other rows than the version before
}

// History is the newest entries of the log of a table at a path or URI, newest first; at most 0 is all that are still
// there.
func History(ctx context.Context, uri string, most int) ([]Commit, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer v.close()
	list, err := v.log.List()
	if err != nil {
		return nil, err
	}
	var out []Commit
	for _, version := range slices.Backward(list.Entries) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if most > 0 && len(out) == most {
			break
		}
		e, _, err := v.log.Read(version)
		if errors.Is(err, os.ErrNotExist) { // cleaned away since
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, summaryOf(version, e))
	}
	return out, nil
}

func summaryOf(version int64, e *delta.Entry) Commit {
	c := Commit{Version: version, Operation: e.Operation, Engine: e.Engine, Added: len(e.Adds), Removed: len(e.Removes),
		Settled: len(e.Txns)}
	if e.Timestamp > 0 {
		c.Time = time.UnixMilli(e.Timestamp).UTC()
	}
	for _, a := range e.Adds {
		c.DataChange = c.DataChange || a.DataChange
		var s struct{ NumRecords int64 }
		if a.Stats != nil && json.Unmarshal([]byte(*a.Stats), &s) == nil {
			c.Rows += s.NumRecords
		}
	}
	for _, r := range e.Removes {
		c.DataChange = c.DataChange || r.DataChange
	}
	return c
}
