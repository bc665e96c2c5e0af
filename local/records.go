package local

import (
	"context"
	"errors"
	"fmt"
	"io"

	"textmill/input"
)

// Records are inputs that are read as submit reads them: JSONL, CSV, TSV, Parquet or lines of text, also compressed.
type Records struct {
	From    []string // files and objects; none is In
	Options input.Options
}

// each calls f for every record in order.
func (r *Records) each(ctx context.Context, in io.Reader, maxBytes int, f func(Line) error) error {
	o, names := r.Options, r.From
	o.MaxRecordBytes = maxBytes
	if len(names) == 0 {
		names = []string{input.Stream}
	}
	index := 0
	err := input.Each(ctx, names, in, o, func(it input.Item) error {
		if it.Task != "" || it.Model != "" {
			return fmt.Errorf("%w: line %d is a request to OpenAI's batch API, which names its model itself: submit takes such files",
				ErrUsage, it.Line)
		}
		l := Line{Index: index, Given: &it.Record}
		index++
		return f(l)
	})
	if errors.Is(err, input.ErrFormat) || errors.Is(err, input.ErrNoFiles) {
		err = fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return err
}
