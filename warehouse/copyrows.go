package warehouse

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"textmill/export"
)

// rowCopier writes a table's rows, or the keys of rows that are gone, in a form of COPY.
type rowCopier struct {
	t      *table
	loaded int64 // rows
	zeros  int64 // rows that held a zero character
	zeroID string
	took   time.Duration // until the rows were the table's, without the index
}

// columns are the columns of t that rows have and recipe r has a type for, row_key first.
func (r *Recipe) columns(t *table) []column {
	all := []column{{Name: outside{"row_key"}, delta: "string"}}
	return append(all, slices.DeleteFunc(r.typed(t, t.Columns), func(c column) bool { return putOf(c) == nil })...)
}

// write puts the rows of files, or of gone files their keys, to out.
func (c *rowCopier) write(ctx context.Context, out io.Writer, form fields, columns []column, gone bool) error {
	files := c.t.changes.Added
	if gone {
		files, columns = c.t.changes.Removed, columns[:1]
	}
	put := make([]func(fields, *export.Row), len(columns))
	for i, one := range columns {
		put[i] = putOf(one)
	}
	err := export.ReadFiles(ctx, c.t.Path.text, files, func(rows []export.Row) error {
		for i := range rows {
			r := &rows[i]
			if r.Error != "" && !c.t.Errors {
				continue
			}
			form.row(len(put))
			for _, p := range put {
				p(form, r)
			}
			if !gone {
				c.count(r)
			}
		}
		_, err := out.Write(form.taken())
		return err
	})
	if err != nil {
		return err
	}
	_, err = out.Write(form.end())
	return err
}

func (c *rowCopier) count(r *export.Row) {
	c.loaded++
	if strings.ContainsRune(r.Text.V, 0) || strings.ContainsRune(r.Output.V, 0) || strings.ContainsRune(r.RecordID, 0) ||
		strings.ContainsRune(r.Error, 0) || hasZero(r.Attributes) {
		if c.zeros++; c.zeros == 1 {
			c.zeroID = r.RecordID
		}
	}
}

// tell says what was not loaded as it is.
func (c *rowCopier) tell(about io.Writer) {
	if c.took > 0 {
		fmt.Fprintf(about, "%d rows were copied and committed in %.1f s, before the index\n", c.loaded, c.took.Seconds())
	}
	if c.zeros > 0 {
		fmt.Fprintf(about, "%d rows hold a zero character, the first is record %q: it is loaded as U+FFFD\n", c.zeros, c.zeroID)
	}
}
