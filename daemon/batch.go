package daemon

import (
	"fmt"
	"os"
	"strings"

	"textmill/client"
	"textmill/crash"
	"textmill/daemon/batches"
	"textmill/input"
	"textmill/jobs"
)

// openBatches has files and batches of OpenAI's API kept in the queue, and batches carried out as jobs of it.
func (d *Daemon) openBatches() error {
	scratch := d.cfg.Export.Scratch
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return fmt.Errorf("export.scratch: %w", err)
	}
	limits := d.cfg.Limits
	submit := client.SubmitOptions{Streams: d.streams(), Input: input.Options{MaxRecordBytes: int(limits.RecordBytes)},
		Limits: jobs.Limits{RecordsPerShard: limits.RecordsPerShard, RecordBytes: int(limits.RecordBytes),
			ClaimBytes: int(limits.ClaimBytes)}}
	for _, c := range d.consumers {
		submit.Local = append(submit.Local, client.NewLocalModel(c.spec.Name, c.spec))
	}
	if !strings.Contains(d.cfg.Export.URI, "://") {
		submit.Tables = d.cfg.Export.URI
	}
	d.batches = batches.New(batches.Options{Queue: d.queue, Tracker: d.events.Tracker(), Submit: submit,
		Table: d.store.TablePath, MaxBytes: int64(d.cfg.HTTP.FilesMaxBytes), Scratch: scratch,
		Takeover: d.cfg.NATS.AckWait, Point: crash.Point, Log: d.log, Tracer: d.traces})
	return nil
}
