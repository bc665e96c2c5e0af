package texts

import (
	"context"
	"errors"
	"fmt"

	"textmill/export"
	"textmill/jobs"
	"textmill/local"
	"textmill/models/vector"
	"textmill/work/rows"
)

// fewSamples is below how many texts ranges are hardly those of a corpus.
const fewSamples = 100

// errRanges says what vectors have no ranges.
var errRanges = errors.New("--ranges needs vectors of floats, one a text: leave precision, chunk_size and pooling none away")

// writeRanges writes the least and the greatest value of each dimension over all texts' vectors, as the param ranges
// takes them. Texts that failed are told and left out.
func (u *runner) writeRanges(ctx context.Context, o Options, work rows.Work, params jobs.EmbedParams) error {
	v := work.Vectors()
	if v.PerToken || v.Precision != "" && v.Precision != vector.Float32 || params.ChunkSize > 0 {
		return errRanges
	}
	var least, most []float32
	texts, failed := 0, 0
	err := u.run(ctx, o.Texts, work, func(_ jobs.Record, list []export.Row) error {
		r := &list[0]
		if r.Error != "" {
			failed++
			o.Log.WarnContext(ctx, "left out", "record", r.RecordID, "error", r.Error)
			return nil
		}
		if texts++; least == nil {
			least, most = append(least, r.Embedding...), append(most, r.Embedding...)
		}
		for i, x := range r.Embedding {
			least[i], most[i] = min(least[i], x), max(most[i], x)
		}
		return nil
	}, func() error { return nil })
	if err != nil {
		return err
	}
	if texts == 0 {
		return fmt.Errorf("no text has a vector, %d failed: there are no ranges", failed)
	}
	if texts < fewSamples {
		o.Log.WarnContext(ctx, "the ranges of few texts are hardly those of a corpus: take more", "texts", texts)
	}
	line := local.AppendFloats([]byte{'['}, least)
	line = local.AppendFloats(append(line, ','), most)
	_, err = o.Out.Write(append(line, "]\n"...))
	return err
}
