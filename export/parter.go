package export

import (
	"errors"

	"textmill/export/part"
)

// Rows with an error lie in files of their own, so that a loader can leave these out, by their statistics or by name.
const (
	goodRows  = iota // without an error
	errorRows        // with one
	sorts
)

// apart gives the rows of either sort, in their order.
func apart(rows []Row) [sorts][]Row {
	n := countErrors(rows)
	switch n {
	case 0:
		return [sorts][]Row{goodRows: rows}
	case int64(len(rows)):
		return [sorts][]Row{errorRows: rows}
	}
	all := [sorts][]Row{make([]Row, 0, int64(len(rows))-n), make([]Row, 0, n)}
	for i := range rows {
		sort := goodRows
		if rows[i].Error != "" {
			sort = errorRows
		}
		all[sort] = append(all[sort], rows[i])
	}
	return all
}

// parter writes rows to parts that end when they are large, either sort to its own.
type parter struct {
	h     *handle
	o     Options
	kind  EmbeddingKind
	cur   [sorts]*partFile
	parts []*partFile
}

// write leaves the parts as they were where the error is ErrRow.
func (p *parter) write(rows []Row) error {
	if err := part.CheckRows(rows, p.kind); err != nil {
		return err
	}
	for sort, some := range apart(rows) {
		if len(some) == 0 {
			continue
		}
		if p.cur[sort] == nil {
			next, err := p.h.newPart(p.o, p.kind)
			if err != nil {
				return err
			}
			p.cur[sort], p.parts = next, append(p.parts, next)
		}
		if err := p.cur[sort].write(some); err != nil {
			return err
		}
		if p.cur[sort].bytes() < p.o.PartBytes {
			continue
		}
		if err := p.end(sort); err != nil {
			return err
		}
	}
	return nil
}

// end completes the open part of a sort.
func (p *parter) end(sort int) error {
	cur := p.cur[sort]
	if cur == nil {
		return nil
	}
	err := cur.finish()
	if err == nil {
		p.cur[sort] = nil
	}
	return err
}

// finish completes the open parts.
func (p *parter) finish() error { return errors.Join(p.end(goodRows), p.end(errorRows)) }
