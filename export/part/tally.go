package part

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
)

// Delivery names what brought rows into a part.
type Delivery struct{ Job, Shard, Task, Model string }

// Tally is how many rows a delivery brought, how many of them are errors, and what was cut off.
type Tally struct {
	Rows, Errors int64
	Truncated    int64 // rows whose text was cut
	Dropped      int64 // tokens cut off in all of them
}

// origin is the columns of a record that a tally needs; no other is read.
type origin struct {
	Job   *string `parquet:"job,optional,dict,zstd"`
	Shard *string `parquet:"shard,optional,dict,zstd"`
	Task  *string `parquet:"task,optional,dict,zstd"`
	Model *string `parquet:"model,optional,dict,zstd"`
	Error *string `parquet:"error,optional,dict,zstd"`

	Truncated *bool  `parquet:"truncated,optional"`
	Dropped   *int32 `parquet:"n_dropped,optional"`
}

// AddTallies counts the part's rows by delivery into all.
func (r *Reader) AddTallies(ctx context.Context, all map[Delivery]Tally) (err error) {
	defer func() { damaged(recover(), &err) }()
	var leaves []int
	for _, name := range []string{"job", "shard", "task", "model", "error", "truncated", "n_dropped"} {
		c, ok := r.file.Schema().Lookup(name)
		if !ok && slices.Contains(partitionable, name) {
			continue
		}
		if !ok {
			return fmt.Errorf("%w: it has no column %s", ErrDamaged, name)
		}
		leaves = append(leaves, c.ColumnIndex)
	}
	if err := pages.CheckAll(r.r, r.file, leaves, pages.DefaultMax); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	pr := parquet.NewGenericReader[origin](r.file)
	defer pr.Close()
	records := make([]origin, 256)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(records)
		n, err := pr.Read(records)
		for _, o := range records[:n] {
			d := Delivery{value(o.Job), value(o.Shard), cmp.Or(value(o.Task), r.task), cmp.Or(value(o.Model), r.model)}
			t := all[d]
			t.Rows++
			if o.Error != nil {
				t.Errors++
			}
			if value(o.Truncated) {
				t.Truncated++
			}
			t.Dropped += int64(value(o.Dropped))
			all[d] = t
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
