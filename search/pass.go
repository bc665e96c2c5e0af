package search

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"textmill/export"
	"textmill/export/scan"
)

// pass is one way through the files of a table.
type pass struct {
	table  *export.Reading
	scorer *scorer
	where  scan.Conditions
	k      int

	mu    sync.Mutex
	best  []nearest // of each question
	stats Stats
}

// openFile is closed when the last of its row groups was read.
type openFile struct {
	*scan.File
	at    int             // in the table's list
	where scan.Conditions // what the log does not say to be met by all its rows
	left  atomic.Int32
	close func()
}

func (f *openFile) done() {
	if f.left.Add(-1) == 0 {
		f.close()
	}
}

// task is a row group to read.
type task struct {
	file  *openFile
	group int
}

// run has workers read row groups, and one more goroutine open files for them, not far ahead.
func (p *pass) run(ctx context.Context, workers int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all errgroup.Group
	tasks := make(chan task, workers)
	all.Go(func() error {
		defer close(tasks)
		return p.open(ctx, tasks)
	})
	for range workers {
		all.Go(func() error {
			w := &worker{pass: p, best: make([]nearest, len(p.best))}
			for i := range w.best {
				w.best[i].k = p.k
			}
			for t := range tasks {
				if ctx.Err() == nil {
					if err := w.group(ctx, t); err != nil {
						stop(err)
					}
				}
				t.file.done()
			}
			p.gather(w)
			return context.Cause(ctx)
		})
	}
	return all.Wait()
}

// open makes tasks of the files that may hold what is wanted.
func (p *pass) open(ctx context.Context, tasks chan<- task) error {
	for at, f := range p.table.Files {
		if p.without(f) {
			continue
		}
		opened, closed, err := p.table.Open(f)
		if err != nil {
			return err
		}
		groups := opened.Groups()
		file := &openFile{File: opened, at: at, where: p.unsettled(f), close: closed}
		file.left.Store(int32(len(groups)) + 1)
		for g := range groups {
			select {
			case tasks <- task{file, g}:
			case <-ctx.Done():
				file.left.Add(int32(g - len(groups))) // those that nobody was given
				file.done()
				return context.Cause(ctx)
			}
		}
		file.done()
		p.mu.Lock()
		p.stats.Files++
		p.mu.Unlock()
	}
	return nil
}

// without tells that a file holds nothing that is wanted, as the log says.
func (p *pass) without(f export.LiveFile) bool {
	if f.Void("dim") {
		return true
	}
	return slices.ContainsFunc(p.where, func(c scan.Condition) bool {
		if c.Attribute {
			return p.table.WithoutAttribute(f, c.Column, c.Value)
		}
		return f.Without(c.Column, c.Value)
	})
}

func (p *pass) gather(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range w.best {
		for _, c := range w.best[i].list {
			p.best[i].add(c)
		}
	}
	p.stats.Rows += w.rows
	p.stats.Bytes += w.bytes
}

// worker reads one row group after the other.
type worker struct {
	pass        *pass
	scanner     scan.Scanner
	scratch     scratch
	best        []nearest
	rows, bytes int64
}

func (w *worker) group(ctx context.Context, t task) error {
	p := w.pass
	file := p.table.Files[t.file.at]
	rows, err := t.file.Match(ctx, t.group, t.file.where)
	if err == nil && (rows == nil || slices.Contains(rows, true)) {
		w.bytes += t.file.VectorBytes(t.group)
		err = w.scanner.Vectors(ctx, t.file.File, t.group, p.scorer.width(), func(b *scan.Block) error {
			w.block(b, rows, t)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	return nil
}

// unsettled are the conditions that the log does not say to be met by all rows of a file.
func (p *pass) unsettled(f export.LiveFile) scan.Conditions {
	return slices.DeleteFunc(slices.Clone(p.where), func(c scan.Condition) bool {
		if c.Attribute {
			return p.table.OnlyAttribute(f, c.Column, c.Value)
		}
		only, ok := f.Only(c.Column)
		return ok && only == c.Value && f.Full(c.Column)
	})
}

// block offers the block's rows that are wanted to each question.
func (w *worker) block(b *scan.Block, wanted []bool, t task) {
	w.pass.scorer.score(b, &w.scratch, func(question int, scores []float32) {
		best := &w.best[question]
		least, full := best.least()
		for i, score := range scores {
			row := b.Rows[i]
			if full && score < least || score != score || wanted != nil && !wanted[row] {
				continue
			}
			best.add(candidate{score, place{int32(t.file.at), int32(t.group), row}})
			least, full = best.least()
		}
	})
	for _, row := range b.Rows {
		if wanted == nil || wanted[row] {
			w.rows++
		}
	}
}
