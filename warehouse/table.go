package warehouse

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"textmill/export"
)

// table is what a recipe is told of the table that it loads.
type table struct {
	Name    outside // in the engine
	Path    outside
	ID      outside
	Version int64
	Since   int64     // -1: all of it
	Files   []outside // whose rows are to be loaded
	Gone    []outside // whose rows are to be taken back where no other file has them
	Columns []column
	Vectors outside // what they are, for people
	Length  int     // of each vector; 0 where they have no length, or there are none
	Errors  bool    // whether rows that are errors are loaded too

	changes *export.Changes
}

// column is one of the table's.
type column struct {
	Name   outside
	delta  string // its type, as in export.Column
	vector bool   // vectors of one length
}

// Key are the columns that tell one row without an error from every other.
func (*table) Key() []string {
	return []string{"task", "model_sha256", "job", "shard", "record_id", "chunk"}
}

// Index is the name of the index over the vectors; PostgreSQL cuts names after 63 bytes.
func (t *table) Index() outside {
	name := t.Name.text
	if len(name) > 50 {
		name = name[:40] + keyOf(&export.Row{Task: name})[:10]
	}
	return outside{strings.ToValidUTF8(name, "") + "_embedding"}
}

// New is the name of the table while all of it is being loaded.
func (t *table) New() outside { return outside{t.Name.text + "_textmill_new"} }

// All tells whether all of the table is loaded.
func (t *table) All() bool { return t.Since < 0 }

// Vector tells whether it is a vector of one length.
func (c column) Vector() bool { return c.vector }

// Whole tells whether it is a list of whole numbers.
func (c column) Whole() bool { return c.delta == "array<byte>" || c.delta == "array<short>" }

// open looks at a table once, and says what has to be loaded of it.
func open(c *export.Changes, name string, withErrors bool) (*table, error) {
	t := &table{
		Name: outside{name}, Path: outside{c.Path}, ID: outside{c.ID}, Version: c.Version, Since: c.Since,
		Errors:  withErrors,
		Vectors: outside{c.Vectors.String()}, changes: c,
	}
	if c.Mixed != "" {
		t.Vectors = outside{c.Mixed}
	}
	if !c.Vectors.PerToken {
		t.Length = c.Vectors.Dim
		if p := c.Vectors.Precision; p == "binary" || p == "ubinary" {
			t.Length = 0 // bits: what engines make of them is not alike
		}
	}
	for _, f := range c.Added {
		t.Files = append(t.Files, outside{f.Path})
	}
	for _, f := range c.Removed {
		t.Gone = append(t.Gone, outside{f.Path})
	}
	return t, t.describe(c.Schema)
}

// describe reads the columns out of Delta's schema.
func (t *table) describe(schema string) error {
	columns, err := export.Columns(schema)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", t.Path.text, err)
	}
	derived := t.changes.By.Derived()
	for _, f := range columns {
		if slices.Contains(derived, f.Name) { // files that another tool put together lack it
			continue
		}
		c := column{Name: outside{f.Name}, delta: f.Type}
		c.vector = f.Name == "embedding" && t.Length > 0
		if f.Name == "embedding" && t.changes.Vectors == (export.Vectors{}) && t.changes.Mixed == "" {
			c.delta = noVectors
		}
		t.Columns = append(t.Columns, c)
	}
	return nil
}

// noVectors is the type of embedding where there are none: an engine would have to be told of what length.
const noVectors = "no vectors"

// checkName refuses what engines would cut in silence.
func checkName(name string) error {
	if name == "" || len(name) > 63 {
		return fmt.Errorf("%w: a table's name in an engine has 1 to 63 bytes, %q has %d; give another with --name",
			ErrUsage, name, len(name))
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: the name %q holds a control character; give another with --name", ErrUsage, name)
	}
	return nil
}

// defaultName is the last part of a table's path.
func defaultName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
