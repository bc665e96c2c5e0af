package export

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"textmill/export/part"
)

// Partitioning is by what a table's files are apart: task, model, date (the day of created_at, in UTC), and
// attribute:NAME for one attribute. Each is a column, date and NAME of such tables alone, that stands in the files
// too, for readers without the log. The files lie in folders as Hive has them, since Polars takes the values from
// there.
type Partitioning []string

const (
	byDate      = "date"
	byAttribute = "attribute:"
)

// columnName is what an attribute is called that tables can be partitioned by.
var columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// ParsePartitioning reads task,model,date,attribute:NAME or some of these.
func ParsePartitioning(s string) (Partitioning, error) {
	p := Partitioning(strings.Split(s, ","))
	for i, by := range p {
		if slices.Contains(p[:i], by) {
			return nil, fmt.Errorf("%s stands there twice", by)
		}
		name, attribute := strings.CutPrefix(by, byAttribute)
		switch {
		case !attribute && by != "task" && by != "model" && by != byDate:
			return nil, fmt.Errorf("%q is not one of task, model, date and attribute:NAME", by)
		case !attribute:
		case !columnName.MatchString(name):
			return nil, fmt.Errorf("the attribute %q cannot be a column: it needs up to 64 letters, digits and underscores",
				name)
		case strings.EqualFold(name, byDate) || part.IsColumn(name):
			return nil, fmt.Errorf("the attribute %q cannot be a column: tables have one of that name", name)
		case p[:i].Attribute() != "":
			return nil, fmt.Errorf("%s and another attribute: it can be one", by)
		}
	}
	return p, nil
}

// Attribute is the one by which the table is partitioned, and its column; "" for none.
func (p Partitioning) Attribute() string {
	for _, by := range p {
		if name, is := strings.CutPrefix(by, byAttribute); is {
			return name
		}
	}
	return ""
}

// Derived are the columns that such a table has more than others. They say again what created_at and attributes say.
func (p Partitioning) Derived() []string {
	return slices.DeleteFunc(p.columns(), part.IsColumn)
}

// columns are the table's partition columns.
func (p Partitioning) columns() []string {
	names := []string{}
	for _, by := range p {
		names = append(names, strings.TrimPrefix(by, byAttribute))
	}
	return names
}

// of is a row's value of each column; nil is null.
func (p Partitioning) of(r *Row) map[string]*string {
	values := map[string]*string{}
	t := newTeller(p)
	for i, column := range t.columns {
		values[column] = nil
		if value := t.value(i, r); value != "" {
			values[column] = &value
		}
	}
	return values
}

// teller tells the values of rows, most of which have some in common.
type teller struct {
	by      Partitioning
	columns []string

	day        int64 // since 1970, of date
	date       string
	attributes map[string]string // what the column's value is
}

func newTeller(p Partitioning) *teller {
	return &teller{by: p, columns: p.columns(), attributes: map[string]string{}}
}

// value is a row's of a column; "" is null.
func (t *teller) value(i int, r *Row) string {
	switch t.by[i] {
	case "task":
		return r.Task
	case "model":
		return r.Model
	case byDate:
		return t.dateOf(r.CreatedAt)
	}
	given := r.Attributes[t.columns[i]]
	value, known := t.attributes[given]
	if !known {
		value = ofAttribute(t.columns[i], given)
		if len(t.attributes) < mostOpen {
			t.attributes[given] = value
		}
	}
	return value
}

func (t *teller) dateOf(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	const seconds = 24 * 60 * 60
	day := at.Unix() / seconds
	if at.Unix()%seconds < 0 {
		day-- // before 1970
	}
	if t.date == "" || day != t.day {
		t.day, t.date = day, at.UTC().Format(time.DateOnly)
	}
	return t.date
}

// appendKey appends what tells the row's values from all others.
func (t *teller) appendKey(key []byte, r *Row) []byte {
	for i := range t.by {
		value := t.value(i, r)
		key = binary.AppendUvarint(key, uint64(len(value)))
		key = append(key, value...)
	}
	return key
}

// ofAttribute is the column's value where the attribute has one; "" is null, as for an attribute that is empty, so
// long that no folder can have its name, or called as folders of null are.
func ofAttribute(column, value string) string {
	if value == hiveNull || len(folderName(column, &value)) > longestName {
		return ""
	}
	return value
}

// without tells that no row of a partition has a value in a column.
func (p Partitioning) without(partition map[string]*string, column, value string) bool {
	has, is := partition[column]
	return is && (has == nil || *has != value) && value != ""
}

// withoutAttribute tells that no row of a partition has an attribute of a value.
func (p Partitioning) withoutAttribute(partition map[string]*string, name, value string) bool {
	return name == p.Attribute() && p.without(partition, name, ofAttribute(name, value))
}

// constants are the columns that all rows of a file have one value in, as Parquet has them.
func (p Partitioning) constants(values map[string]*string) (all []part.Constant) {
	for i, column := range p.columns() {
		all = append(all, part.Constant{Name: column, Date: p[i] == byDate, Value: values[column]})
	}
	return all
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
// leave these out. It is ErrSchema where there are too many.
func (p Partitioning) apart(rows []Row) ([]group, error) {
	if n := countErrors(rows); len(p) == 0 && (n == 0 || n == int64(len(rows))) {
		if len(rows) == 0 {
			return nil, nil
		}
		return []group{{key: map[bool]string{true: errorKey}[n > 0], rows: rows}}, nil
	}
	var all []group
	var key []byte
	at, told := map[string]int{}, newTeller(p)
	for i := range rows {
		key = told.appendKey(key[:0], &rows[i])
		if rows[i].Error != "" {
			key = append(key, errorKey...)
		}
		n, known := at[string(key)]
		if !known {
			n = len(all)
			all = append(all, group{key: string(key), partition: p.of(&rows[i])})
			at[all[n].key] = n
		}
		all[n].rows = append(all[n].rows, rows[i])
	}
	return all, p.bounded(len(all))
}

// mostOpen bounds how many files are written at a time, beside what they hold of rows each takes 0.4 MiB.
const mostOpen = 256

// bounded is ErrSchema where that would be too many.
func (p Partitioning) bounded(files int) error {
	if files <= mostOpen {
		return nil
	}
	return fmt.Errorf("%w: its rows are of more than %d partitions by %s, each with files of its own; give it a dataset"+
		" that is partitioned by what has fewer values", ErrSchema, mostOpen, strings.Join(p, ","))
}
