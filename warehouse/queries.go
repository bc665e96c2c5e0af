package warehouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"textmill/export"
)

// A Query is a few lines that read a table through its log with somebody else's tool.
type Query struct {
	Tool  string
	Needs string // as pip calls it; "" where it is no package of Python
	Code  string
}

// Queries read the first rows of the table at a path or URI.
func Queries(uri string) ([]Query, error) {
	at := outside{uri}
	sql, err := sqlText(at)
	if err != nil {
		return nil, err
	}
	python, err := pythonText(at)
	if err != nil {
		return nil, err
	}
	return []Query{
		{"DuckDB", "", "SELECT record_id, text, n_tokens, error FROM delta_scan(" + sql + ") LIMIT 10;"},
		{"Polars", "polars deltalake", "import polars as pl\n\n" +
			`print(pl.scan_delta(` + python + `).select("record_id", "text", "n_tokens", "error").head(10).collect())`},
		{"pandas", "deltalake pandas pyarrow", "from deltalake import DeltaTable\n\n" +
			"table = DeltaTable(" + python + ")\n" +
			`print(table.to_pyarrow_dataset().head(10, columns=["record_id", "text", "n_tokens", "error"]).to_pandas())`},
	}, nil
}

// ErrLong is the class of recipes that are longer than somebody wants to read.
var ErrLong = errors.New("the recipe is too long to be shown")

// Copies tells whether the recipe, printed, holds the table's rows.
func (r *Recipe) Copies() bool { return strings.Contains(r.text, "{{copy ") }

// Shown is the recipe that loads a table as it was looked at into an engine, of so many bytes at most; more are
// ErrLong. A recipe that copies rows is no such.
func Shown(ctx context.Context, in *export.Reading, engine string, most int) (string, error) {
	r, err := Find(engine)
	if err != nil {
		return "", err
	}
	if r.Copies() {
		return "", fmt.Errorf("%w: rows stand in it", ErrLong)
	}
	own := *in.Inspection // others look at it too
	c := &export.Changes{Inspection: &own, Since: -1, Added: in.Files}
	switch c.Vectors, err = in.Holds(ctx); {
	case errors.Is(err, export.ErrSchema):
		c.Mixed = "vectors of several kinds"
	case err != nil:
		return "", err
	}
	t, err := open(c, defaultName(c.Path), false)
	if err != nil {
		return "", err
	}
	if err := r.takes(t); err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = r.print(ctx, &limited{&out, most}, &rowCopier{t: t})
	return out.String(), err
}

// limited takes so many bytes.
type limited struct {
	to   *bytes.Buffer
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.to.Len()+len(p) > l.most {
		return 0, fmt.Errorf("%w: it has more than %d bytes, mostly names of files", ErrLong, l.most)
	}
	return l.to.Write(p)
}
