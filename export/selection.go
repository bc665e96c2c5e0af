package export

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"textmill/export/part"
)

// Records is a set of records, which may be larger than memory: whoever needs it goes through it, several times over,
// and it must be the same each time. A record without a task is meant whatever task made rows of it.
type Records func(each func(task, id string) error) error

// OfRecords is the set of a few records of a task; "" is whatever task made rows of them.
func OfRecords(task string, ids ...string) Records {
	return func(each func(task, id string) error) error {
		for _, id := range ids {
			if err := each(task, id); err != nil {
				return err
			}
		}
		return nil
	}
}

// Selection says which rows of a table are meant: those for which all holds that is set. The zero Selection is no row.
type Selection struct {
	Records    Records           // all rows of these records: chunks, completions, errors
	Model      string            // rows of this model
	Errors     bool              // error rows
	Attributes map[string]string // rows whose attributes have these values
}

func (s *Selection) none() bool {
	return s.Records == nil && s.Model == "" && !s.Errors && len(s.Attributes) == 0
}

// recordsAtOnce is how many records are looked for in one pass over the files, at 16 bytes each.
const recordsAtOnce = 8 << 20

// idsAtOnce is up to how many of them files are passed over whose bounds leave none of them room.
const idsAtOnce = 1 << 16

// chooser tells which rows a Selection means. It holds one share of the records at a time.
type chooser struct {
	Selection
	share
	atOnce int64
	hashes [][2]uint64
	bounds idBounds // of all records
}

func newChooser(s Selection) (*chooser, error) {
	c := &chooser{Selection: s, share: newShare(), atOnce: recordsAtOnce}
	return c, c.measure()
}

// measure finds out in how many passes the records are looked for.
func (c *chooser) measure() error {
	if c.Records == nil {
		return nil
	}
	n := int64(0)
	c.bounds.few = true
	err := c.Records(func(_, id string) error {
		n++
		c.bounds.add(id)
		return nil
	})
	c.bounds.end()
	c.passes = uint64(n/c.atOnce + 1)
	return err
}

// load has the chooser look for one share of the records.
func (c *chooser) load(_ context.Context, pass uint64) error {
	if c.Records == nil || c.is(pass) {
		return nil
	}
	c.loaded, c.pass, c.hashes = false, pass, c.hashes[:0]
	err := c.Records(func(task, id string) error {
		if h := c.hash(task, id); c.has(h) {
			c.hashes = append(c.hashes, h)
		}
		return nil
	})
	slices.SortFunc(c.hashes, compareHashes)
	c.hashes = slices.Compact(c.hashes)
	c.loaded = err == nil
	return err
}

// means says whether a row is meant, as far as the share of the records goes that is loaded.
func (c *chooser) means(l *part.Label) bool {
	if c.none() || c.Model != "" && l.Model != c.Model || c.Errors && !l.Error {
		return false
	}
	for k, v := range c.Attributes {
		if has, ok := l.Attributes[k]; !ok || has != v {
			return false
		}
	}
	return c.Records == nil || l.RecordID != "" && (c.holds("", l.RecordID) || c.holds(l.Task, l.RecordID))
}

func (c *chooser) holds(task, id string) bool {
	_, found := slices.BinarySearchFunc(c.hashes, c.hash(task, id), compareHashes)
	return found
}

func (c *chooser) read(ctx context.Context, src *part.Source, each func(row int64, l *part.Label) error) error {
	return src.Labels(ctx, len(c.Attributes) > 0, each)
}

func (c *chooser) looked(context.Context) error { return nil }

// mayHold says whether a file's partition and bounds, where the log has any, leave room for rows that are meant.
func (c *chooser) mayHold(f *examined, by Partitioning) bool {
	if c.none() || c.Model != "" && by.without(f.PartitionValues, "model", c.Model) {
		return false
	}
	for name, value := range c.Attributes {
		if by.withoutAttribute(f.PartitionValues, name, value) {
			return false
		}
	}
	s := &f.stats
	if c.Errors && s.NumRecords != nil && s.NullCount.Error != nil && *s.NullCount.Error == *s.NumRecords {
		return false
	}
	lo, hi := s.MinValues.Model, s.MaxValues.Model
	if c.Model != "" && lo != nil && hi != nil && (c.Model < *lo || c.Model > *hi) {
		return false
	}
	return c.Records == nil || c.bounds.leaveRoom(s)
}

// fileStats is what is asked of a file's statistics; nothing is known where another's are anything else.
type fileStats struct {
	NumRecords           *int64
	MinValues, MaxValues struct {
		ID         *string `json:"record_id"`
		Job, Model *string
		Dim        *int64
	}
	NullCount struct{ Error, Dim *int64 }
}

func statsOf(stats *string) (s fileStats) {
	if stats == nil || json.Unmarshal([]byte(*stats), &s) != nil {
		return fileStats{}
	}
	return s
}

// idBounds tells whether files may hold some of a set of ids: by each of them, or where they are many, by the first
// and the last.
type idBounds struct {
	ids    []string // ascending once all are there
	few    bool
	lo, hi string
	n      int
}

func (b *idBounds) add(id string) {
	if b.n++; b.n <= idsAtOnce {
		b.ids = append(b.ids, strings.Clone(id))
	} else {
		b.few, b.ids = false, nil
	}
	if b.n == 1 || id < b.lo {
		b.lo = strings.Clone(id)
	}
	if id > b.hi {
		b.hi = strings.Clone(id)
	}
}

func (b *idBounds) end() { slices.Sort(b.ids) }

func (b *idBounds) leaveRoom(s *fileStats) bool {
	lo, hi := s.MinValues.ID, s.MaxValues.ID
	if lo == nil || hi == nil {
		return true
	}
	if !b.few {
		return b.n > 0 && b.lo <= *hi && *lo <= b.hi
	}
	i, _ := slices.BinarySearch(b.ids, *lo)
	return i < len(b.ids) && b.ids[i] <= *hi
}
