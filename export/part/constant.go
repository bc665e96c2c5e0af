package part

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Constant is a column by which the table is partitioned: it has one value in all rows of a part.
type Constant struct {
	Name  string // letters, digits and underscores
	Date  bool   // the value is a day, such as 2026-01-31; else it is a text
	Value *string
}

func (c Constant) deltaType() string {
	if c.Date {
		return "date"
	}
	return "string"
}

// IsColumn says whether every part has a column of a name, in whatever case.
func IsColumn(name string) bool {
	return slices.ContainsFunc(parquet.SchemaOf(new(record[float32])).Fields(), func(f parquet.Field) bool {
		return strings.EqualFold(f.Name(), name)
	})
}

// day is a date in the days since 1970; nil is null.
func (c Constant) day() (*int32, error) {
	if c.Value == nil {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, *c.Value)
	if err != nil {
		return nil, fmt.Errorf("partition column %s: %w", c.Name, err)
	}
	days := int32(t.Unix() / 86400) //nolint:gosec // of the years 0 to 9999
	return &days, nil
}

// take has all rows have the constants that are no columns of theirs, and tells how the record's fields are to be
// called for that.
func (t *typed[E]) take(all []Constant) (tags []parquet.SchemaOption, err error) {
	for _, c := range all {
		field, kind := "Constant", ""
		switch {
		case IsColumn(c.Name):
			continue
		case c.Date:
			field, kind = "Day", ",date"
			if t.day, err = c.day(); err != nil {
				return nil, err
			}
		default:
			t.text = c.Value
		}
		tag := fmt.Sprintf(`parquet:"%s,optional%s,dict,zstd"`, c.Name, kind)
		tags = append(tags, parquet.StructTag(reflect.StructTag(tag), field))
	}
	return tags, nil
}

// appended is constants that go behind the columns of rows.
type appended struct {
	fields []parquet.Field
	values []parquet.Value
	row    parquet.Row
}

// lacking are the constants that a schema has no column for.
func lacking(schema *parquet.Schema, all []Constant) (*appended, error) {
	a := &appended{}
	column := len(schema.Columns())
	for _, c := range all {
		if _, has := schema.Lookup(c.Name); has {
			continue
		}
		node, value := parquet.String(), parquet.NullValue()
		if c.Date {
			node = parquet.Date()
			day, err := c.day()
			if err != nil {
				return nil, err
			}
			if day != nil {
				value = parquet.Int32Value(*day)
			}
		} else if c.Value != nil {
			value = parquet.ByteArrayValue([]byte(*c.Value))
		}
		level := 1
		if value.IsNull() {
			level = 0
		}
		coded := parquet.Compressed(parquet.Encoded(node, &parquet.RLEDictionary), recode(&parquet.Zstd))
		a.fields = append(a.fields, parquet.Group{c.Name: parquet.Optional(coded)}.Fields()...)
		a.values = append(a.values, value.Level(0, level, column+len(a.values)))
	}
	return a, nil
}

// to is a row with the constants; it is valid until the next.
func (a *appended) to(row parquet.Row) parquet.Row {
	if len(a.values) == 0 {
		return row
	}
	a.row = append(append(a.row[:0], row...), a.values...)
	return a.row
}

// schema is one of a source with the constants behind its columns, which are encoded and compressed as ours.
func (a *appended) schema(like *Source) *parquet.Schema {
	return parquet.NewSchema(like.file.Schema().Name(), longer{likeOurs{like.file.Root(), true}, a.fields})
}

type longer struct {
	parquet.Node
	more []parquet.Field
}

func (n longer) Fields() []parquet.Field { return append(n.Node.Fields(), n.more...) }
