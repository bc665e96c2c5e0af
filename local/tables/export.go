package tables

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"textmill/ground/durable"
	"textmill/ground/plain"
	"textmill/work/batchlines"
)

// FormatOpenAIBatch is a line for each request as OpenAI's batches answer it.
const FormatOpenAIBatch = "openai-batch"

// ExportOptions say what is exported, and where to.
type ExportOptions struct {
	Dir    string
	Format string // openai-batch
	Job    string // of this job only; "" is all
	File   string // appears whole or not at all; "" is Out
	Out    io.Writer
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
	err := batchlines.Each(ctx, o.Dir, batchlines.Options{Job: o.Job, Scratch: dir}, func(l batchlines.Line) error {
		return plain.JSON(w, l)
	})
	return errors.Join(err, w.Flush())
}
