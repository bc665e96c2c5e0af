package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"textmill/export"
	"textmill/warehouse"
)

// Table is one table, as far as people look into it.
type Table struct {
	Summary
	ID          string
	Created     time.Time
	Checkpoint  int64 // -1: there is none
	By          []string
	Columns     []export.Column
	Commits     []export.Commit // newest first
	Classes     []ErrorClass
	ErrorsSeen  int64 // rows that the classes were counted of
	Whole       bool  // makers and classes are of all files
	Searchable  bool  // it has a vector of each text
	Partitions  []Partition
	Partitioned int // how many there are
	File        int // whose rows the samples are, from 1; 0 where there is none
	Samples     []Sample
	Queries     []warehouse.Query
	Engines     []Engine
}

// Partition is a part of a partitioned table.
type Partition struct {
	Values []string // NAME=VALUE
	Rows   int64
	Files  int
	Bytes  int64
}

// Engine is one that a table can be loaded into.
type Engine struct {
	Name, Title string
	Prints      bool // its recipe has no rows in it
}

// mostPartitions is how many partitions are shown, the largest.
const mostPartitions = 50

// Table looks into a table, and at the first rows of one of its files, which are counted from 1; 0 is the first that
// has vectors or texts.
func (c *Catalog) Table(ctx context.Context, dataset string, file int) (*Table, error) {
	of, r, commits, err := c.look(ctx, dataset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	of.mu.Lock()
	t := &Table{Summary: of.summary, ID: r.ID, Created: r.Created, Checkpoint: r.Checkpoint, By: r.By, Commits: commits}
	of.mu.Unlock()
	if t.Columns, err = export.Columns(r.Schema); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", r.Path, err)
	}
	if t.Queries, err = warehouse.Queries(r.Path); err != nil {
		return nil, err
	}
	for _, e := range warehouse.Recipes() {
		t.Engines = append(t.Engines, Engine{e.Engine, e.Title, !e.Copies()})
	}
	if v, err := r.Holds(ctx); err == nil {
		t.Holds, t.Searchable = v.String(), v != (export.Vectors{}) && !v.PerToken
	} else if errors.Is(err, export.ErrSchema) {
		t.Holds = "vectors of several kinds, which no reader can compare"
	} else {
		return nil, err
	}
	told, err := of.digests.of(ctx, r, wholly)
	if err != nil {
		return nil, err
	}
	t.Makers, t.Classes, t.ErrorsSeen, t.Whole = c.makers(told.makers), told.classes(), told.seen, told.whole
	t.partitions(r)
	err = t.sample(ctx, r, file)
	for i := range t.Samples {
		by := &t.Samples[i].Maker
		by.Served = c.served(by.Model, by.SHA256) != nil
	}
	return t, err
}

// partitions gathers files by what they have in common.
func (t *Table) partitions(r *export.Reading) {
	if len(r.By) == 0 {
		return
	}
	at := map[string]int{}
	for _, f := range r.Files {
		values := r.Partition(f)
		key := strings.Join(values, "\x00")
		i, is := at[key]
		if !is {
			i = len(t.Partitions)
			at[key] = i
			t.Partitions = append(t.Partitions, Partition{Values: values})
		}
		p := &t.Partitions[i]
		p.Rows, p.Files, p.Bytes = p.Rows+max(f.Rows, 0), p.Files+1, p.Bytes+f.Size
	}
	slices.SortFunc(t.Partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), slices.Compare(a.Values, b.Values))
	})
	t.Partitioned = len(t.Partitions)
	t.Partitions = t.Partitions[:min(len(t.Partitions), mostPartitions)]
}

// sample reads the first rows of a file.
func (t *Table) sample(ctx context.Context, r *export.Reading, file int) (err error) {
	if len(r.Files) == 0 {
		return nil
	}
	if file < 1 || file > len(r.Files) {
		file = 1 + max(slices.IndexFunc(r.Files, func(f export.LiveFile) bool { return f.ErrorRows() < f.Rows }), 0)
	}
	t.File = file
	t.Samples, err = samples(ctx, r, r.Files[file-1])
	return err
}

// mostRecipe bounds a recipe that is shown.
const mostRecipe = 32 << 10

// Recipe is what loads a table into an engine; "" where it is too long to be shown.
func (c *Catalog) Recipe(ctx context.Context, dataset, engine string) (string, error) {
	_, r, _, err := c.look(ctx, dataset)
	if err != nil {
		return "", err
	}
	defer r.Close()
	recipe, err := warehouse.Shown(ctx, r, engine, mostRecipe)
	if errors.Is(err, warehouse.ErrLong) {
		return "", nil
	}
	return recipe, err
}

// absent is ErrNoTable where something is not there.
func absent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNoTable, err)
	}
	return err
}
