package part

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// bounds is what a stats string may tell.
type bounds struct {
	NumRecords *int64         `json:"numRecords"`
	Min        map[string]any `json:"minValues"`
	Max        map[string]any `json:"maxValues"`
	NullCount  map[string]any `json:"nullCount"`
}

// Check reads every row and compares them with the file's stats in the log, by whomever they were written: problems
// are bounds that readers would skip rows by, or wrong counts. An empty stats string tells nothing.
func (r *Reader) Check(ctx context.Context, statsJSON string) (rows int64, problems []string, err error) {
	var declared bounds
	if statsJSON != "" {
		d := json.NewDecoder(strings.NewReader(statsJSON))
		d.UseNumber()
		if err := d.Decode(&declared); err != nil {
			problems = append(problems, fmt.Sprintf("stats are not JSON: %v", err))
		}
	}
	var s stats
	err = r.Rows(ctx, func(rows []Row) error {
		for i := range rows {
			s.add(&rows[i])
		}
		return nil
	})
	if err != nil {
		return s.rows, problems, err
	}
	if n := declared.NumRecords; n != nil && *n != s.rows {
		problems = append(problems, fmt.Sprintf("stats say %d rows, the file has %d", *n, s.rows))
	}
	if n := r.file.NumRows(); n != s.rows {
		problems = append(problems, fmt.Sprintf("the footer says %d rows, the file has %d", n, s.rows))
	}
	return s.rows, append(problems, s.outside(&declared)...), nil
}

// outside lists the columns whose values lie outside the declared bounds.
func (s *stats) outside(d *bounds) []string {
	var out []string
	complain := func(column, what string, declared any, is any) {
		out = append(out, fmt.Sprintf("stats say that the %s of %s is %v, it is %v", what, column, declared, is))
	}
	for i, b := range s.texts {
		c := textColumns[i]
		if v, ok := d.Min[c].(string); ok && b.seen && v > b.min {
			complain(c, "minimum", v, b.min)
		}
		if v, ok := d.Max[c].(string); ok && b.seen && v < b.max {
			complain(c, "maximum", v, b.max)
		}
		if n, ok := d.NullCount[c].(json.Number); ok && n.String() != fmt.Sprint(b.nulls) {
			complain(c, "number of nulls", n, b.nulls)
		}
	}
	for i, b := range s.ints {
		c := intColumns[i]
		if v, ok := number(d.Min[c]); ok && b.seen && v > b.min {
			complain(c, "minimum", d.Min[c], b.min)
		}
		slack := int64(0)
		if c == "created_at" {
			slack = 999 // other writers cut to milliseconds, and readers allow for it
		}
		if v, ok := number(d.Max[c]); ok && b.seen && v+slack < b.max {
			complain(c, "maximum", d.Max[c], b.max)
		}
		if n, ok := d.NullCount[c].(json.Number); ok && n.String() != fmt.Sprint(b.nulls) {
			complain(c, "number of nulls", n, b.nulls)
		}
	}
	return out
}

// number reads an integer, or a timestamp as microseconds.
func number(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UnixMicro(), err == nil
	}
	return 0, false
}
