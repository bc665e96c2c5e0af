package jobs

import "strconv"

// Namer gives the records of one shard their ids, in order.
type Namer struct {
	shard string
	next  int
	seen  map[string]struct{}
}

// NewNamer starts at a shard's first record.
func NewNamer(shard string) *Namer {
	return &Namer{shard: shard, seen: make(map[string]struct{})}
}

// Name gives a record without an id the id <shard>-<index> and marks the second
// of a repeated id as duplicate_id.
func (n *Namer) Name(r *Record) {
	if r.ID == "" {
		r.ID, r.Placed = n.shard+"-"+strconv.Itoa(n.next), true
	}
	n.next++
	if _, again := n.seen[r.ID]; !again {
		n.seen[r.ID] = struct{}{}
	} else if r.Err == nil {
		r.Err = recordErrorf(DuplicateID, "an earlier record of the shard has this id")
	}
}
