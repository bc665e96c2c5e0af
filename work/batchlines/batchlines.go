// Package batchlines makes the lines of an OpenAI batch's output out of a table's rows.
package batchlines

import (
	"cmp"
	"context"
	"errors"

	"textmill/export"
)

// ErrScattered is the class of tables that hold some of a record's rows and lack others.
var ErrScattered = errors.New("the rows of a record are not all there")

// Options say of which rows lines are made.
type Options struct {
	Job     string // of this job only; "" is all
	Scratch string // where files are made of what is more than fits into memory; "" is the system's for temporary files
	budget  int    // bytes of rows in memory; 0 is joinBudget
}

// Each calls each with the line of every request of which the table at a path or URI has rows, in any order. Memory is
// bounded: what is more goes into files without names.
func Each(ctx context.Context, uri string, o Options, each func(Line) error) error {
	j := newJoiner(o.Scratch, cmp.Or(o.budget, joinBudget), func(rows []export.Row) error {
		line, err := lineOf(rows)
		if err != nil {
			return err
		}
		return each(line)
	})
	return j.close(func() error {
		err := export.ScanJob(ctx, uri, o.Job, func(rows []export.Row) error {
			for i := range rows {
				if o.Job != "" && rows[i].Job != o.Job {
					continue
				}
				if err := j.add(&rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return j.finish()
	})
}
