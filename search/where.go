package search

import (
	"errors"
	"fmt"
	"strings"

	"textmill/export"
	"textmill/export/scan"
)

// ErrWhere is the class of conditions that a table's rows cannot be asked for.
var ErrWhere = errors.New("not a condition")

// Where reads conditions of the form NAME=VALUE for a table of a Delta schema. NAME is a column, or else an attribute;
// attributes.NAME is an attribute in any case, and so is the one by which the table is partitioned.
func Where(schema string, by export.Partitioning, given []string) (scan.Conditions, error) {
	columns, err := export.Columns(schema)
	if err != nil {
		return nil, fmt.Errorf("schema of the table: %w", err)
	}
	plain := map[string]bool{}
	for _, c := range columns {
		plain[c.Name] = c.Single()
	}
	var all scan.Conditions
	for _, one := range given {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: %q is not of the form NAME=VALUE", ErrWhere, one)
		}
		c := scan.Condition{Column: name, Value: value}
		if attribute, is := strings.CutPrefix(name, "attributes."); is {
			c.Column, c.Attribute = attribute, true
		} else if isPlain, column := plain[name]; !column || name == by.Attribute() {
			c.Attribute = true
		} else if !isPlain {
			return nil, fmt.Errorf("%w: column %s holds no single value; conditions are on plain columns and on attributes",
				ErrWhere, name)
		}
		all = append(all, c)
	}
	return all, nil
}
