package local

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/daemon/generation"
	"textmill/export"
)

// FormatOpenAIBatch is a line for each record as OpenAI's batches answer it.
const FormatOpenAIBatch = "openai-batch"

// ErrScattered is the class of tables whose rows cannot be put together record by record in one pass.
var ErrScattered = errors.New("the rows of a record are not together")

// TableExportOptions say what is exported, and where to.
type TableExportOptions struct {
	Dir    string
	Format string // openai-batch
	Job    string // of this job only; "" is all
	File   string // appears whole or not at all; "" is Out
	Out    io.Writer
}

// TableExport writes the rows of a table in another program's form. The rows of one record, its completions or chunks, make
// one line. Memory is constant: a record is held only until its last row, or where a part ends amid its rows.
func TableExport(ctx context.Context, o TableExportOptions) (err error) {
	if o.Format != FormatOpenAIBatch {
		return fmt.Errorf("format %q is not known", o.Format)
	}
	if o.File == "" || o.File == "-" {
		return exportTo(ctx, o, o.Out)
	}
	f, err := os.CreateTemp(filepath.Dir(o.File), "."+filepath.Base(o.File)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = errors.Join(f.Chmod(0o644), exportTo(ctx, o, f))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), o.File)
}

func exportTo(ctx context.Context, o TableExportOptions, out io.Writer) error {
	w := bufio.NewWriterSize(out, 64<<10)
	g := grouper{emit: func(rows []export.Row) error { return writeJSON(w, batchLine(rows)) }, split: map[recordKey][]export.Row{}}
	err := export.ScanParts(ctx, o.Dir, func(file int, rows []export.Row) error {
		for i := range rows {
			if o.Job != "" && rows[i].Job != o.Job {
				continue
			}
			if err := g.add(file, &rows[i]); err != nil {
				return err
			}
		}
		g.own()
		return nil
	})
	if err == nil {
		err = g.finish()
	}
	return errors.Join(err, w.Flush())
}

type recordKey struct{ job, shard, record string }

func keyOf(r *export.Row) recordKey { return recordKey{r.Job, r.Shard, r.RecordID} }

// grouper puts the rows of each record together. They follow each other in a part; only where one ends and another begins
// can a record be in two.
type grouper struct {
	emit  func([]export.Row) error
	open  []export.Row
	owned int // how many of open are copies of ours
	file  int
	split map[recordKey][]export.Row
}

func (g *grouper) add(file int, r *export.Row) error {
	if len(g.open) > 0 && g.file == file && r.Chunk.Valid && keyOf(&g.open[0]) == keyOf(r) && r.Chunk.V > g.open[len(g.open)-1].Chunk.V {
		g.open = append(g.open, *r)
		return nil
	}
	if err := g.close(g.file != file); err != nil {
		return err
	}
	g.file = file
	if !r.Chunk.Valid { // a record of one row
		return g.emit([]export.Row{*r})
	}
	g.open = append(g.open, *r)
	return nil
}

// own copies what the open record holds of a reader that goes on.
func (g *grouper) own() {
	for i := range g.open[g.owned:] {
		g.open[g.owned+i] = cloneRow(g.open[g.owned+i])
	}
	g.owned = len(g.open)
}

func cloneRow(r export.Row) export.Row {
	for _, s := range []*string{&r.Job, &r.Shard, &r.RecordID, &r.Task, &r.Model, &r.ModelSHA256, &r.Text.V, &r.Error, &r.Output.V, &r.FinishReason} {
		*s = strings.Clone(*s)
	}
	r.InputIDs = nil // not exported, nor are other attributes
	top := r.Attributes[generation.TopLogprobs]
	if r.Attributes = nil; top != "" {
		r.Attributes = map[string]string{generation.TopLogprobs: strings.Clone(top)}
	}
	r.OutputIDs, r.Logprobs = slices.Clone(r.OutputIDs), slices.Clone(r.Logprobs)
	r.Embedding, r.Embedding8, r.Embedding16 = slices.Clone(r.Embedding), slices.Clone(r.Embedding8), slices.Clone(r.Embedding16)
	return r
}

// close ends the open record, or holds it where the rest may be in another part.
func (g *grouper) close(fileEnds bool) error {
	if len(g.open) == 0 {
		return nil
	}
	k := keyOf(&g.open[0])
	_, known := g.split[k]
	if known || g.open[0].Chunk.V > 0 || fileEnds {
		g.own()
		g.split[keyOf(&g.open[0])] = append(g.split[k], g.open...)
	} else if err := g.emit(g.open); err != nil {
		return err
	}
	clear(g.open)
	g.open, g.owned = g.open[:0], 0
	return nil
}

// finish writes what parts have cut in two.
func (g *grouper) finish() error {
	if err := g.close(true); err != nil {
		return err
	}
	keys := make([]recordKey, 0, len(g.split))
	for k := range g.split {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b recordKey) int {
		return cmp.Or(cmp.Compare(a.job, b.job), cmp.Compare(a.shard, b.shard), cmp.Compare(a.record, b.record))
	})
	for _, k := range keys {
		rows := g.split[k]
		slices.SortStableFunc(rows, func(a, b export.Row) int { return cmp.Compare(a.Chunk.V, b.Chunk.V) })
		for i := range rows {
			if int(rows[i].Chunk.V) != i {
				return fmt.Errorf("%w: record %q of job %s has no row %d beside its row %d; another program has sorted the table anew",
					ErrScattered, k.record, k.job, i, rows[i].Chunk.V)
			}
		}
		if err := g.emit(rows); err != nil {
			return err
		}
	}
	return nil
}
