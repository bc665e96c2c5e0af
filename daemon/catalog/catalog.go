// Package catalog tells what lies in a daemon's tables, to whoever looks at them or asks them in words.
package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models"
	"textmill/work/rows"
)

// Options are what is told of, and who is asked.
type Options struct {
	URI    string // of the tables
	Served []Model
	// Refused are the reasons why the daemon must not write to tables, by dataset; it may be nil.
	Refused func() map[string]string
}

// Model is one that is served.
type Model struct {
	Spec *models.Spec
	// Asks is the work of a question, which does not wait behind the queue's; nil where it embeds none.
	Asks func(*jobs.Shard, rows.Origin) rows.Work
}

// Catalog tells of tables. Its methods are safe for concurrent use.
type Catalog struct {
	o      Options
	asking chan struct{} // has a value for each question that waits or is answered
	turn   chan struct{} // has one while a question is answered

	mu     sync.Mutex
	tables map[string]*table // by dataset
}

// New looks at nothing yet.
func New(o Options) *Catalog {
	return &Catalog{o: o, tables: map[string]*table{}, asking: make(chan struct{}, mostAsking),
		turn: make(chan struct{}, 1)}
}

// ErrNoTable is the class of datasets that have no table.
var ErrNoTable = errors.New("there is no such table")

// Listing is the tables there are, in the order of their names.
type Listing struct {
	URI    string
	Tables []Summary
	More   []string // that were not looked at, since there are so many
}

const (
	listed   = 200             // tables of which a list tells more than the name
	listTime = 8 * time.Second // in which they are looked at
	fresh    = time.Second     // for so long is what was seen told again
)

// List tells of all tables.
func (c *Catalog) List(ctx context.Context) (*Listing, error) {
	names, err := export.Datasets(c.o.URI)
	if err != nil {
		return nil, err
	}
	l := &Listing{URI: c.o.URI}
	limited, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	for i, name := range names {
		if i == listed || limited.Err() != nil {
			l.More = names[i:]
			break
		}
		s, err := c.summary(limited, name)
		switch {
		case limited.Err() != nil:
			l.More = names[i:]
			return l, context.Cause(ctx)
		case errors.Is(err, ErrNoTable): // it went
			continue
		case err != nil:
			s = &Summary{Dataset: name, Failed: err.Error()}
		}
		l.Tables = append(l.Tables, *s)
	}
	return l, nil
}

// Vectors are the tables with vectors of a model of that hash, among those that were looked at lately.
func (c *Catalog) Vectors(sha256 string) []Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Summary
	for _, t := range c.tables {
		t.mu.Lock()
		if slices.ContainsFunc(t.summary.Makers, func(m Maker) bool { return m.SHA256 == sha256 }) {
			all = append(all, t.summary)
		}
		t.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Summary) int { return strings.Compare(a.Dataset, b.Dataset) })
	return all
}

// table is what is kept of one.
type table struct {
	dataset string
	watch   *export.Watch
	digests digests

	mu      sync.Mutex
	used    time.Time
	jobs    map[string]*ofJob
	seen    time.Time // when the table was looked at
	summary Summary
	of      *export.Inspection // whose summary it is; nil before the first look
}

// files is how many the watch knows of; it needs t.mu.
func (t *table) files() int {
	if t.of == nil {
		return 0
	}
	return len(t.of.Files)
}

// keptFiles bounds how many files are remembered, of all tables together; of each its name and statistics.
const keptFiles = 50_000

// at is what is kept of a dataset; what was not looked at for longest goes where that is much.
func (c *Catalog) at(dataset string) (*table, error) {
	if naming.CheckDataset(dataset) != nil {
		return nil, ErrNoTable
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[dataset]
	if t == nil {
		uri, err := export.TableURI(c.o.URI, dataset)
		if err != nil {
			return nil, err
		}
		t = &table{dataset: dataset, watch: export.NewWatch(uri)}
		c.tables[dataset] = t
	}
	t.mu.Lock()
	t.used = time.Now()
	t.mu.Unlock()
	c.forget(t)
	return t, nil
}

// forget needs c.mu.
func (c *Catalog) forget(but *table) {
	type one struct {
		*table
		used  time.Time
		files int
	}
	var all []one
	sum := 0
	for _, t := range c.tables {
		t.mu.Lock()
		all = append(all, one{t, t.used, t.files() + 1})
		sum += t.files() + 1
		t.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b one) int { return a.used.Compare(b.used) })
	for _, t := range all {
		if sum <= keptFiles {
			return
		}
		if t.table != but {
			delete(c.tables, t.dataset)
			sum -= t.files
		}
	}
}

// look is a table as it is now. The caller closes the Reading.
func (c *Catalog) look(ctx context.Context, dataset string) (*table, *export.Reading, []export.Commit, error) {
	t, err := c.at(dataset)
	if err != nil {
		return nil, nil, nil, err
	}
	r, commits, err := t.watch.Look(ctx)
	if err = absent(err); errors.Is(err, ErrNoTable) {
		c.mu.Lock()
		delete(c.tables, dataset)
		c.mu.Unlock()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	t.mu.Lock()
	s, same := t.summary, t.of == r.Inspection
	t.mu.Unlock()
	if !same { // of many files that takes a while
		s = c.summaryOf(dataset, r, commits)
	}
	s.Refused = c.refused(dataset, r)
	t.mu.Lock()
	t.summary, t.seen, t.of = s, time.Now(), r.Inspection
	t.mu.Unlock()
	return t, r, commits, nil
}

// summary is a table's, made anew unless that was just now.
func (c *Catalog) summary(ctx context.Context, dataset string) (*Summary, error) {
	t, err := c.at(dataset)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	s, seen := t.summary, t.seen
	t.mu.Unlock()
	if time.Since(seen) > fresh {
		of, r, _, err := c.look(ctx, dataset)
		if err != nil {
			return nil, err
		}
		r.Close()
		of.mu.Lock()
		s = of.summary
		of.mu.Unlock()
	}
	return &s, nil
}
