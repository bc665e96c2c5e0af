package input

import (
	"fmt"
	"slices"
	"strings"

	"textmill/jobs"
)

// layout says which columns of a table make a record.
type layout struct {
	names      []string // of all that are read
	id         int      // -1: none
	text       []piece
	at         []int // where the columns of text are; -1: a literal, or a column that may be missing and is
	template   bool  // text comes of one
	attributes []int
}

// wanted are the columns that o names.
func (o Options) wanted(text []piece) []string {
	names := []string{o.idColumn()}
	for _, p := range text {
		if p.column != "" {
			names = append(names, p.column)
		}
	}
	return append(names, o.AttributeColumns...)
}

// newLayout finds the columns that o names among those that can be read, of which the first own ones become
// attributes where o names none; all is what the input has.
func newLayout(where string, columns []string, own int, all []string, o Options) (l layout, err error) {
	l = layout{names: columns, id: slices.Index(columns, o.idColumn()), template: o.TextTemplate != ""}
	if l.text, err = o.pieces(); err != nil {
		return l, err
	}
	lacks := func(column, purpose, remedy string) error {
		return fmt.Errorf("%w: no column %q for %s; the %s has: %s%s", ErrFormat, column, purpose, where,
			strings.Join(all, ", "), remedy)
	}
	for _, p := range l.text {
		at := slices.Index(columns, p.column)
		if at < 0 && p.column != "" && !p.optional {
			return l, lacks(p.column, "the text", " (choose one with --text-column)")
		}
		l.at = append(l.at, at)
	}
	switch {
	case l.id < 0 && o.IDColumn != "":
		return l, lacks(o.IDColumn, "the id", "")
	case !l.template && l.at[0] == l.id:
		return l, fmt.Errorf("%w: column %q is to be both text and id", ErrFormat, o.IDColumn)
	}
	for _, name := range o.AttributeColumns {
		at := slices.Index(columns, name)
		if at < 0 {
			return l, lacks(name, "an attribute", "")
		}
		l.attributes = append(l.attributes, at)
	}
	for i := range columns[:own] {
		used := i == l.id || slices.Contains(l.at, i)
		if o.AttributeColumns == nil && !used {
			l.attributes = append(l.attributes, i)
		}
	}
	return l, nil
}

// join makes the text; value gives a column's, or none where it is null.
func (l *layout) join(value func(int) (string, bool)) (string, *jobs.RecordError) {
	if !l.template {
		text, ok := value(l.at[0])
		if !ok {
			return "", &jobs.RecordError{Class: jobs.InvalidRecord, Message: l.text[0].column + " is null"}
		}
		return text, nil
	}
	return fillIn(l.text, func(i int) (text, instead string) {
		if l.at[i] < 0 {
			return "", "missing"
		}
		text, ok := value(l.at[i])
		if !ok {
			return "", "null"
		}
		return text, ""
	})
}
