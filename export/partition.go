package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"textmill/export/part"
)

// Partitioning is by what a table's files are apart: task, model. Both stand in the files too, for readers without the
// log, and for those who take a partition's values from paths alone.
type Partitioning []string

// ParsePartitioning reads task,model or one of these.
func ParsePartitioning(s string) (Partitioning, error) {
	p := Partitioning(strings.Split(s, ","))
	for i, by := range p {
		if slices.Contains(p[:i], by) {
			return nil, fmt.Errorf("%s stands there twice", by)
		}
		if by != "task" && by != "model" {
			return nil, fmt.Errorf("%q is not one of task and model", by)
		}
	}
	return p, nil
}

// of is a row's value of each column; nil is null.
func (p Partitioning) of(r *Row) map[string]*string {
	values := map[string]*string{}
	for _, by := range p {
		value := r.Task
		if by == "model" {
			value = r.Model
		}
		values[by] = nil
		if value != "" {
			values[by] = &value
		}
	}
	return values
}

// group is rows that go into one file.
type group struct {
	key       string // of all such
	partition map[string]*string
	rows      []Row
}

// errorKey is how the key of error rows' groups ends.
const errorKey = "error"

// apart gives the rows of each file, in their order: those of one partition, error rows apart, so that a loader can
// leave these out.
func (p Partitioning) apart(rows []Row) ([]group, error) {
	if n := countErrors(rows); len(p) == 0 && (n == 0 || n == int64(len(rows))) {
		if len(rows) == 0 {
			return nil, nil
		}
		return []group{{key: map[bool]string{true: errorKey}[n > 0], rows: rows}}, nil
	}
	var all []group
	at := map[string]int{}
	for i := range rows {
		values := p.of(&rows[i])
		key := ""
		if len(p) > 0 {
			b, err := json.Marshal(values)
			if err != nil {
				return nil, err
			}
			key = string(b)
		}
		if rows[i].Error != "" {
			key += errorKey
		}
		n, known := at[key]
		if !known {
			n = len(all)
			at[key] = n
			all = append(all, group{key: key, partition: values})
		}
		all[n].rows = append(all[n].rows, rows[i])
	}
	return all, nil
}

// mostOpen bounds how many files a parter writes at a time: each holds a row group in memory.
const mostOpen = 16

// parter writes rows to parts that end when they are large, those of each group to their own.
type parter struct {
	h     *handle
	o     Options
	kind  EmbeddingKind
	by    Partitioning
	cur   map[string]*partFile
	parts []*partFile
}

// write leaves the parts as they were where the error is ErrRow.
func (p *parter) write(rows []Row) error {
	if err := part.CheckRows(rows, p.kind); err != nil {
		return err
	}
	groups, err := p.by.apart(rows)
	if err != nil {
		return err
	}
	for _, g := range groups {
		cur := p.cur[g.key]
		if cur == nil {
			if cur, err = p.begin(g); err != nil {
				return err
			}
		}
		if err := cur.write(g.rows); err != nil {
			return err
		}
		if cur.bytes() < p.o.PartBytes {
			continue
		}
		if err := p.end(g.key); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a part for a group, in place of the others where there are many.
func (p *parter) begin(g group) (*partFile, error) {
	if len(p.cur) >= mostOpen {
		if err := p.finish(); err != nil {
			return nil, err
		}
	}
	next, err := p.h.newPart(p.o, p.kind)
	if err != nil {
		return nil, err
	}
	next.partition = g.partition
	if p.cur == nil {
		p.cur = map[string]*partFile{}
	}
	p.cur[g.key], p.parts = next, append(p.parts, next)
	return next, nil
}

// end completes the open part of a group.
func (p *parter) end(key string) error {
	if err := p.cur[key].finish(); err != nil {
		return err
	}
	delete(p.cur, key)
	return nil
}

// finish completes the open parts.
func (p *parter) finish() error {
	for key := range p.cur {
		if err := p.end(key); err != nil {
			return err
		}
	}
	return nil
}
