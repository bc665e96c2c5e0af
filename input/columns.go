package input

import (
	"fmt"
	"slices"
	"strings"
)

// layout says which columns of a table make a record.
type layout struct {
	names      []string // of all that are read
	id         int      // -1: none
	text       []cell
	template   bool // text comes of one
	attributes []int
}

// cell is a piece of a text: a literal, or the value of a column.
type cell struct {
	piece
	at int // -1: a literal, or a column that may be missing and is
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
	pieces, err := o.pieces()
	if err != nil {
		return l, err
	}
	lacks := func(column, purpose, remedy string) error {
		return fmt.Errorf("%w: no column %q for %s; the %s has: %s%s", ErrFormat, column, purpose, where,
			strings.Join(all, ", "), remedy)
	}
	for _, p := range pieces {
		at := slices.Index(columns, p.column)
		if at < 0 && p.column != "" && !p.optional {
			return l, lacks(p.column, "the text", " (choose one with --text-column)")
		}
		l.text = append(l.text, cell{p, at})
	}
	switch {
	case l.id < 0 && o.IDColumn != "":
		return l, lacks(o.IDColumn, "the id", "")
	case !l.template && l.text[0].at == l.id:
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
		used := i == l.id || slices.ContainsFunc(l.text, func(c cell) bool { return c.at == i })
		if o.AttributeColumns == nil && !used {
			l.attributes = append(l.attributes, i)
		}
	}
	return l, nil
}

// join makes the text; value gives a column's, or none where it is null. missing is a column that must not be null
// and is.
func (l *layout) join(value func(int) (string, bool)) (text, missing string) {
	if !l.template {
		text, ok := value(l.text[0].at)
		if !ok {
			return "", l.text[0].column
		}
		return text, ""
	}
	var b strings.Builder
	for _, c := range l.text {
		if c.at < 0 {
			b.WriteString(c.literal)
			continue
		}
		text, ok := value(c.at)
		if !ok && !c.optional {
			return "", c.column
		}
		b.WriteString(text)
	}
	return b.String(), ""
}
