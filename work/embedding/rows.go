package embedding

import (
	"fmt"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/vector"
	"textmill/work/rows"
)

// baseRow is what every row of a record says, whatever became of it.
func (e *Engine) baseRow(r *record) export.Row {
	plan := r.task.Plan
	return rows.New(e.opts.Spec, plan.about, &r.task.Record, r.content, plan.storeText)
}

// errorRow is the one row of a record that failed.
func (e *Engine) errorRow(r *record, err *jobs.RecordError) export.Row {
	return rows.Failed(e.baseRow(r), err)
}

// row is what the table says of an item that ran.
func (e *Engine) row(it *item, v embed.Vector) (export.Row, error) {
	plan, row := it.rec.task.Plan, e.baseRow(it.rec)
	if plan.Pooling == models.PoolNone {
		row.Embedding, row.Dim = v, export.Some(int32(e.opts.Spec.Hidden))
	} else {
		f, err := vector.Finish(v, plan.Vector)
		if err != nil {
			return row, fmt.Errorf("finish vector: %w", err)
		}
		row.Embedding, row.Embedding8 = f.F, f.I8
		for _, u := range f.U8 { // Delta has no unsigned types
			row.Embedding16 = append(row.Embedding16, int16(u))
		}
		row.Norm, row.Dim = export.Some(f.Norm), export.Some(int32(f.Dim))
	}
	if plan.ChunkSize > 0 && row.Text.Valid {
		row.Text = export.Some(it.text)
	}
	if plan.storeIDs {
		row.InputIDs = it.ids
	}
	row.NTokens, row.NDropped = export.Some(int32(len(it.ids))), export.Some(int32(it.dropped))
	row.Truncated = export.Some(it.dropped > 0)
	row.Chunk = export.Some(int32(it.chunk))
	row.ChunkStart, row.ChunkEnd = export.Some(it.start), export.Some(it.end)
	return row, nil
}
