package part

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"textmill/export/internal/pages"
)

// Delivery names what brought rows into a part.
type Delivery struct{ Job, Shard string }

// Tally is how many rows a delivery brought, and how many of them are errors.
type Tally struct{ Rows, Errors int64 }

// origin is the three columns of a record that a tally needs; no other is read.
type origin struct {
	Job   *string `parquet:"job,optional,dict,zstd"`
	Shard *string `parquet:"shard,optional,dict,zstd"`
	Error *string `parquet:"error,optional,dict,zstd"`
}

// AddTallies counts the part's rows by delivery into all.
func (r *Reader) AddTallies(ctx context.Context, all map[Delivery]Tally) (err error) {
	defer caught(&err)
	var leaves []int
	for _, name := range []string{"job", "shard", "error"} {
		c, ok := r.file.Schema().Lookup(name)
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
			d := Delivery{value(o.Job), value(o.Shard)}
			t := all[d]
			t.Rows++
			if o.Error != nil {
				t.Errors++
			}
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

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
