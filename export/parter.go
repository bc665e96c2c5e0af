package export

import (
	"cmp"

	"textmill/export/part"
)

// parter writes rows to parts that end when they are large, those of each group to their own.
type parter struct {
	h     *handle
	o     Options
	kind  EmbeddingKind
	by    Partitioning
	cur   map[string]*partFile
	parts []*partFile
}

// write leaves the parts as they were where the error is ErrRow or ErrSchema.
func (p *parter) write(rows []Row) error {
	if err := part.CheckRows(rows, p.kind); err != nil {
		return err
	}
	groups, err := p.by.apart(rows)
	if err != nil {
		return err
	}
	open := len(p.cur)
	for _, g := range groups {
		if p.cur[g.key] == nil {
			open++
		}
	}
	if err := p.by.bounded(open); err != nil {
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
	return spill(p.cur, p.o)
}

// begin starts a part for a group.
func (p *parter) begin(g group) (*partFile, error) {
	next, err := p.h.newPart(p.o, p.kind, g.partition)
	if err != nil {
		return nil, err
	}
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

// spill bounds what open parts hold in memory together, by ending the largest row groups before their time.
func spill(open map[string]*partFile, o Options) error {
	limit := 4 * cmp.Or(o.RowGroupBytes, part.DefaultRowGroupBytes)
	for {
		var largest *partFile
		held := int64(0)
		for _, p := range open {
			n := p.held()
			if held += n; largest == nil || n > largest.held() {
				largest = p
			}
		}
		if held <= limit {
			return nil
		}
		if err := largest.w.(*part.Writer).Flush(); err != nil {
			return err
		}
	}
}
