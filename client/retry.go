package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/ground/ondisk"
	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// ErrLeft: some error rows were left as they are, since what they were made of is not in them (exit 1).
var ErrLeft = errors.New("error rows are left")

// mostLeft is how many of them are named.
const mostLeft = 100

// RetryErrors computes the error rows of a dataset again, from what they hold of their records, and replaces them with
// one commit for each model. Of the options Dataset, Model, Params, MaxErrors, DryRun and those of every submission
// count; Model "" is every model.
func RetryErrors(ctx context.Context, q *queue.Queue, o SubmitOptions) (err error) {
	if err := naming.CheckDataset(o.Dataset); err != nil {
		return fmt.Errorf("%w: dataset %w", ErrUsage, err)
	}
	if o.Unseen != "" {
		return fmt.Errorf("%w: %s", ErrUnseen, o.Unseen)
	}
	o.Sync = true
	r := &retry{o: o}
	if r.maxErrors, err = parseMaxErrors(o.MaxErrors); err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if r.rows, err = ondisk.NewSorter("", sortMemory); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.rows.Close()) }()
	if r.table, err = export.TableURI(o.Export.URI, o.Dataset); err != nil {
		return err
	}
	if r.from, err = export.Generation(ctx, r.table); err != nil {
		return err
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.run(ctx, q); err != nil {
		return err
	}
	if r.left > 0 {
		return fmt.Errorf("%w: %d", ErrLeft, r.left)
	}
	return nil
}

// retry is one RetryErrors under way.
type retry struct {
	o         SubmitOptions
	maxErrors maxErrors
	table     string // path or URI
	from      export.Holding
	rows      *ondisk.Sorter // packed lines by task, model and id
	left      int
}

// read finds the error rows and makes records of them.
func (r *retry) read(ctx context.Context) error {
	if r.from.Version < 0 {
		return fmt.Errorf("%w: there is no table of dataset %s", ErrUsage, r.o.Dataset)
	}
	params := map[string][]byte{}
	for _, task := range naming.Tasks() {
		if raw, err := jobs.ParamsJSON(task, r.o.Params); err == nil {
			params[task] = raw
		}
	}
	in, err := export.Inspect(ctx, r.table)
	if err != nil {
		return err
	}
	clean := func(f export.LiveFile) bool { return f.Void("error") }
	return export.ReadFiles(ctx, r.table, slices.DeleteFunc(in.Files, clean), func(rows []export.Row) error {
		for i := range rows {
			row := &rows[i]
			if row.Error == "" || row.RecordID == "" || r.o.Model != "" && row.Model != r.o.Model {
				continue
			}
			raw, fit := params[row.Task]
			if !fit {
				r.leave(row, "the --param given are none of its task "+row.Task)
				continue
			}
			rec, why := recordOf(row, raw)
			if why != "" {
				r.leave(row, why)
				continue
			}
			head, line := packLine(false, 0, rec.AppendJSON(nil))
			key := row.Task + "\x00" + row.Model + "\x00" + row.RecordID
			if err := r.rows.Add([]byte(key), head, line); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *retry) leave(row *export.Row, why string) {
	if r.left++; r.left <= mostLeft {
		fmt.Fprintf(r.o.Stderr, "left: record %s (%s): %s\n", plain.Text(row.RecordID), plain.Text(row.Error), why)
	}
}

// recordOf is the record that an error row was made of, or why the row does not hold it. The row's content_sha256
// tells whether it is that record, made with these params.
func recordOf(row *export.Row, params []byte) (jobs.Record, string) {
	if !row.Text.Valid {
		return jobs.Record{}, "its text is not in the row; mend the record and submit it again"
	}
	text := jobs.Record{ID: row.RecordID, Text: row.Text.V, Attributes: row.Attributes}
	could := []jobs.Record{text}
	var messages []struct{ Role, Content string }
	if row.Task == naming.TaskGenerate && json.Unmarshal([]byte(row.Text.V), &messages) == nil && len(messages) > 0 {
		chat := jobs.Record{ID: row.RecordID, Attributes: row.Attributes}
		for _, m := range messages {
			chat.Messages = append(chat.Messages, jobs.ChatMessage{Role: m.Role, Content: m.Content})
		}
		could = []jobs.Record{chat, text}
	}
	if row.ContentSHA256 == "" { // of an older version
		return could[0], ""
	}
	contents := jobs.NewContents(row.ModelSHA256, params)
	for _, rec := range could {
		if contents.SHA256(&rec) == row.ContentSHA256 {
			return rec, ""
		}
	}
	return jobs.Record{}, "it was made with other params than these; give those of its job with --param, or submit it again"
}

// run computes the records of one model after the other.
func (r *retry) run(ctx context.Context, q *queue.Queue) error {
	rows, err := newAhead(r.rows)
	if err != nil {
		return err
	}
	if !rows.more {
		_, err := fmt.Fprintf(r.o.Stderr, "dataset %s has no error row that can be tried again\n", r.o.Dataset)
		return err
	}
	for rows.more {
		if err := r.oneModel(ctx, q, rows); err != nil {
			return err
		}
	}
	return nil
}

// oneModel takes the records of the next model.
func (r *retry) oneModel(ctx context.Context, q *queue.Queue, rows *ahead) (err error) {
	parts := bytes.SplitN(rows.key, []byte{0}, 3)
	s := &submission{o: r.o, table: r.table, src: &sources{}, maxErrors: r.maxErrors, maxPayload: q.MaxPayload()}
	s.o.Task, s.o.Model = string(parts[0]), string(parts[1])
	s.summary = Summary{Task: s.o.Task, Model: s.o.Model, Dataset: s.o.Dataset}
	c, err := newDifference()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.from, c.Version = r.from, r.from.Version
	fmt.Fprintf(c.hash, "retry 1\n%s\n%s\n%q\n", s.o.Task, s.o.Model, s.o.Params)
	prefix := append(bytes.Join(parts[:2], []byte{0}), 0)
	var last []byte
	for rows.more && bytes.HasPrefix(rows.key, prefix) {
		if id := rows.key[len(prefix):]; !bytes.Equal(id, last) || last == nil { // its other error rows go with it
			last = bytes.Clone(id)
			if err := c.publish(last, rows.value); err != nil {
				return err
			}
			c.Retried++
		}
		if err := rows.step(); err != nil {
			return err
		}
	}
	s.summary.Sync = &c.SyncSummary
	if !s.o.DryRun {
		err = s.apply(ctx, q, c)
		r.from.Generation = s.generation
	}
	if err == nil {
		err = s.writeSync()
	}
	return err
}
