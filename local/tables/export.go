package tables

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"textmill/export"
	"textmill/ground/durable"
	"textmill/ground/plain"
)

// FormatOpenAIBatch is a line for each request as OpenAI's batches answer it.
const FormatOpenAIBatch = "openai-batch"

// ErrScattered is the class of tables that hold some of a record's rows and lack others.
var ErrScattered = errors.New("the rows of a record are not all there")

// ExportOptions say what is exported, and where to.
type ExportOptions struct {
	Dir    string
	Format string // openai-batch
	Job    string // of this job only; "" is all
	File   string // appears whole or not at all; "" is Out
	Out    io.Writer
	budget int // bytes of rows in memory; 0 is joinBudget
}

// Export writes the rows of a table in another program's form. The rows of one request, its inputs, completions or
// chunks, make one line, wherever in the table they lie. Memory is bounded: what is more goes into files beside File,
// or in the directory of temporary files, until it is written.
func Export(ctx context.Context, o ExportOptions) error {
	if o.Format != FormatOpenAIBatch {
		return fmt.Errorf("format %q is not known", o.Format)
	}
	if o.File == "" || o.File == "-" {
		return exportTo(ctx, o, o.Out)
	}
	f, err := durable.Create(o.File, 0o666) // as a shell makes it
	if err != nil {
		return err
	}
	if err := exportTo(ctx, o, f); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

func exportTo(ctx context.Context, o ExportOptions, out io.Writer) error {
	w := bufio.NewWriterSize(out, 64<<10)
	dir := ""
	if o.File != "" && o.File != "-" {
		dir = filepath.Dir(o.File)
	}
	j := newJoiner(dir, cmp.Or(o.budget, joinBudget), func(rows []export.Row) error {
		line, err := batchLine(rows)
		if err != nil {
			return err
		}
		return plain.JSON(w, line)
	})
	err := j.close(func() error {
		err := export.ScanParts(ctx, o.Dir, func(_ int, rows []export.Row) error {
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
	return errors.Join(err, w.Flush())
}
