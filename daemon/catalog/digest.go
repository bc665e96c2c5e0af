package catalog

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"textmill/export"
	"textmill/export/parquetin"
	"textmill/jobs"
)

// digest is what a file's rows say that its log entry does not. Files never change, so it is made once.
type digest struct {
	makers map[Maker]int64
	errors map[string]ErrorClass
}

// digests are those of a table's files, by their paths.
type digests struct {
	mu   sync.Mutex // one makes them
	made map[string]*digest

	seen *export.Inspection // what all tells of; nil at first
	all  *told
}

// ErrorClass is the error rows of a class.
type ErrorClass struct {
	Class   string
	Rows    int64
	ID      string // of one of them
	Message string
}

// digestTime is how long a look at a table may go on reading files; the next look goes on from there.
const digestTime = 1500 * time.Millisecond

// mostMessage bounds the message of an error that is kept.
const mostMessage = 400

// told is what the files of a table tell together.
type told struct {
	makers map[Maker]int64
	errors map[string]ErrorClass
	seen   int64 // error rows that were looked at
	whole  bool  // all files that had to be were
}

// looking is what is looked for in files.
type looking struct {
	settled func(export.LiveFile) *digest // what the log tells; nil where the file has to be read
	read    func(context.Context, *export.Reading, export.LiveFile) (*digest, error)
}

// wholly is who made all rows, and what kinds of errors there are among them.
var wholly = looking{settled, read}

// of reads what is not known yet of a table's files, for a while.
func (d *digests) of(ctx context.Context, r *export.Reading, l looking) (*told, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == r.Inspection && d.all.whole {
		return d.all, nil
	}
	until := time.Now().Add(digestTime)
	all := &told{makers: map[Maker]int64{}, errors: map[string]ErrorClass{}, whole: true}
	kept := make(map[string]*digest, len(d.made))
	for _, f := range r.Files {
		one := l.settled(f)
		if one == nil {
			if one = d.made[f.Path]; one == nil {
				if time.Now().After(until) {
					all.whole = false
					continue
				}
				var err error
				if one, err = l.read(ctx, r, f); err != nil {
					maps.Copy(kept, d.made) // what this look read, and what it did not come to
					d.made = kept
					return nil, fmt.Errorf("%s: %w", f.Path, err)
				}
			}
			kept[f.Path] = one
		}
		all.add(one)
	}
	d.made, d.seen, d.all = kept, r.Inspection, all // those of files that went are forgotten
	return all, nil
}

func (t *told) add(d *digest) {
	for m, n := range d.makers {
		t.makers[m] += n
	}
	for class, e := range d.errors {
		t.seen += e.Rows
		if have, is := t.errors[class]; is {
			have.Rows += e.Rows
			e = have
		}
		t.errors[class] = e
	}
}

// classes lists them, the most frequent first.
func (t *told) classes() []ErrorClass {
	all := make([]ErrorClass, 0, len(t.errors))
	for _, e := range t.errors {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b ErrorClass) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Class, b.Class))
	})
	return all
}

// settled is what the log tells of a file without errors, nil where the file has to be read.
func settled(f export.LiveFile) *digest {
	by, told := makerOf(f)
	if !told || f.Rows < 0 || f.ErrorRows() != 0 {
		return nil
	}
	return &digest{makers: map[Maker]int64{by: f.Rows}}
}

// read looks at the columns of a file that tell. One that it lacks is told by the log, where the table is partitioned.
func read(ctx context.Context, r *export.Reading, f export.LiveFile) (*digest, error) {
	d := &digest{makers: map[Maker]int64{}, errors: map[string]ErrorClass{}}
	err := r.Cells(ctx, f, []string{"task", "model", "model_sha256", "error", "record_id"}, func(row []parquetin.Value) error {
		by := Maker{Task: row[0].Text, Model: row[1].Text, SHA256: row[2].Text}
		if d.makers[by] == 0 { // the row is the reader's
			by = Maker{Task: strings.Clone(by.Task), Model: strings.Clone(by.Model), SHA256: strings.Clone(by.SHA256)}
		}
		d.makers[by]++
		d.failed(row[3].Text, row[4].Text)
		return nil
	})
	return d, err
}

// failed counts a row's error, if it has one.
func (d *digest) failed(why, id string) {
	if why == "" {
		return
	}
	e := jobs.ParseRecordError(why)
	class, is := d.errors[e.Class]
	if !is {
		class = ErrorClass{Class: strings.Clone(e.Class), ID: cut(id, mostMessage), Message: cut(e.Message, mostMessage)}
	}
	class.Rows++
	d.errors[class.Class] = class
}

// cut is as many bytes of a text as are shown, in memory of their own.
func cut(s string, most int) string {
	if len(s) <= most {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
