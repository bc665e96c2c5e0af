package export

import (
	"context"
	"errors"
	"fmt"
	"os"

	"textmill/export/parquetin"
)

// Held is what a row says of its record.
type Held struct {
	ID         string
	Content    string // content_sha256; "" in rows of older versions
	Job, Shard string // that brought the row
	Failed     bool   // it is an error row
}

// Holding is what a table is, at one version; -1 where there is none.
type Holding struct {
	Version    int64
	Generation string // the last sync that was committed to it
	Vectors    Vectors
}

var heldColumns = []string{"record_id", "task", "content_sha256", "error", "job", "shard"}

// Holds calls each for every row of a task in the table at a path or URI that has a record, in no order. Only the
// columns that it needs are read. A table that does not exist holds nothing.
func Holds(ctx context.Context, uri, task string, each func(Held) error) (Holding, error) {
	v, err := openView(ctx, uri)
	if errors.Is(err, os.ErrNotExist) {
		return Holding{Version: -1}, nil
	}
	if err != nil {
		return Holding{}, err
	}
	defer v.close()
	in, err := v.inspect()
	if err != nil {
		return Holding{}, err
	}
	for _, f := range in.Files {
		if err := v.held(ctx, f, task, each); err != nil {
			return Holding{}, fmt.Errorf("read the records of %s: %w", v.dir.Path(), err)
		}
	}
	return v.holding(), nil
}

func (v *view) holding() Holding {
	return Holding{v.snap.Version, v.snap.Metadata.Configuration[GenerationKey], termsOf(v.dir.Path(), v.snap).vectors}
}

func (v *view) held(ctx context.Context, f LiveFile, task string, each func(Held) error) error {
	return v.readCells(ctx, f, heldColumns, func(row []parquetin.Value) error {
		h := Held{ID: row[0].Text, Content: row[2].Text, Failed: row[3].Text != "", Job: row[4].Text, Shard: row[5].Text}
		if h.ID == "" || row[1].Text != task {
			return nil
		}
		return each(h)
	})
}

// Generation is what the table at a path or URI is.
func Generation(ctx context.Context, uri string) (Holding, error) {
	v, err := openView(ctx, uri)
	if errors.Is(err, os.ErrNotExist) {
		return Holding{Version: -1}, nil
	}
	if err != nil {
		return Holding{}, err
	}
	defer v.close()
	return v.holding(), nil
}

// NewGeneration names a sync that has no staging table.
func NewGeneration() string { return newID() }
