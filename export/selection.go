package export

import (
	"encoding/json"
	"hash/maphash"
	"slices"

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
	seeds  [2]maphash.Seed
	atOnce int64
	passes uint64
	pass   uint64
	loaded bool
	hashes [][2]uint64
	ids    []string // of all records, ascending; nil where there are many
	few    bool
}

func newChooser(s Selection) (*chooser, error) {
	c := &chooser{Selection: s, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, passes: 1,
		atOnce: recordsAtOnce}
	return c, c.measure()
}

// measure finds out in how many passes the records are looked for.
func (c *chooser) measure() error {
	if c.Records == nil {
		return nil
	}
	n := int64(0)
	c.few = true
	err := c.Records(func(_, id string) error {
		if n++; n <= idsAtOnce {
			c.ids = append(c.ids, id)
		} else {
			c.few, c.ids = false, nil
		}
		return nil
	})
	slices.Sort(c.ids)
	c.passes = uint64(n/c.atOnce + 1)
	return err
}

func (c *chooser) hash(task, id string) [2]uint64 {
	var h [2]uint64
	for i, seed := range c.seeds {
		var m maphash.Hash
		m.SetSeed(seed)
		_, _ = m.WriteString(task) // never fails
		_ = m.WriteByte(0)         // never fails, and is in no task's name
		_, _ = m.WriteString(id)
		h[i] = m.Sum64()
	}
	return h
}

// load has the chooser look for one share of the records.
func (c *chooser) load(pass uint64) error {
	if c.Records == nil || c.loaded && c.pass == pass {
		return nil
	}
	c.loaded, c.pass, c.hashes = false, pass, c.hashes[:0]
	err := c.Records(func(task, id string) error {
		if h := c.hash(task, id); h[0]%c.passes == pass {
			c.hashes = append(c.hashes, h)
		}
		return nil
	})
	slices.SortFunc(c.hashes, compareHashes)
	c.hashes = slices.Compact(c.hashes)
	c.loaded = err == nil
	return err
}

func compareHashes(a, b [2]uint64) int {
	switch {
	case a == b:
		return 0
	case a[0] != b[0]:
		return less(a[0] < b[0])
	}
	return less(a[1] < b[1])
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

// mayHold says whether a file's bounds, where the log has any, leave room for rows that are meant.
func (c *chooser) mayHold(stats *string) bool {
	if c.none() {
		return false
	}
	var s struct {
		NumRecords           *int64
		MinValues, MaxValues struct {
			ID    *string `json:"record_id"`
			Model *string
		}
		NullCount struct{ Error *int64 }
	}
	if stats == nil || json.Unmarshal([]byte(*stats), &s) != nil {
		return true
	}
	if c.Errors && s.NumRecords != nil && s.NullCount.Error != nil && *s.NullCount.Error == *s.NumRecords {
		return false
	}
	lo, hi := s.MinValues.Model, s.MaxValues.Model
	if c.Model != "" && lo != nil && hi != nil && (c.Model < *lo || c.Model > *hi) {
		return false
	}
	if lo, hi = s.MinValues.ID, s.MaxValues.ID; !c.few || lo == nil || hi == nil {
		return true
	}
	i, _ := slices.BinarySearch(c.ids, *lo)
	return i < len(c.ids) && c.ids[i] <= *hi
}
