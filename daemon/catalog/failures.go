package catalog

import (
	"context"
	"time"

	"textmill/export"
	"textmill/export/parquetin"
)

// Failures are the error rows of a job, as a table has them, whoever made them.
type Failures struct {
	Classes []ErrorClass
	Seen    int64 // rows that the classes were counted of
	Whole   bool  // all files that may have some were read
}

// jobsDigested bounds how many jobs' error rows are remembered of one table: those that somebody looks at.
const jobsDigested = 16

// ofJob is what is remembered of one job's files.
type ofJob struct {
	digests
	used time.Time
}

// Failures looks for a job's error rows, for a while; the next look goes on from there. Files of which the log tells
// that they have none are not read, nor any twice.
func (c *Catalog) Failures(ctx context.Context, dataset, job string) (Failures, error) {
	of, r, _, err := c.look(ctx, dataset)
	if err != nil {
		return Failures{}, err
	}
	defer r.Close()
	told, err := of.job(job).of(ctx, r, failuresOf(job))
	if err != nil {
		return Failures{}, err
	}
	return Failures{Classes: told.classes(), Seen: told.seen, Whole: told.whole}, nil
}

// job forgets the one that nobody looked at for longest where there are many.
func (t *table) job(name string) *digests {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.jobs[name]
	if one == nil {
		if len(t.jobs) >= jobsDigested {
			oldest := ""
			for other, o := range t.jobs {
				if oldest == "" || o.used.Before(t.jobs[oldest].used) {
					oldest = other
				}
			}
			delete(t.jobs, oldest)
		}
		one = &ofJob{}
		if t.jobs == nil {
			t.jobs = map[string]*ofJob{}
		}
		t.jobs[name] = one
	}
	one.used = time.Now()
	return &one.digests
}

// failuresOf looks for the error rows of a job.
func failuresOf(job string) looking {
	return looking{
		settled: func(f export.LiveFile) *digest {
			if f.ErrorRows() == 0 || f.Without("job", job) {
				return &digest{}
			}
			return nil
		},
		read: func(ctx context.Context, r *export.Reading, f export.LiveFile) (*digest, error) {
			d := &digest{errors: map[string]ErrorClass{}}
			err := r.Cells(ctx, f, []string{"job", "error", "record_id"}, func(row []parquetin.Value) error {
				if row[0].Text == job {
					d.failed(row[1].Text, row[2].Text)
				}
				return nil
			})
			return d, err
		},
	}
}
