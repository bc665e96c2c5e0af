package tables

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"textmill/export"
	"textmill/ground/plain"
)

// tableAnswer is what programs are told of a table.
type tableAnswer struct {
	Path       string          `json:"path"`
	ID         string          `json:"id"`
	Version    int64           `json:"version"`
	Checkpoint *int64          `json:"checkpoint"`
	Rows       int64           `json:"rows"`
	Files      int             `json:"files"`
	Bytes      int64           `json:"bytes"`
	Embedding  string          `json:"embedding"`
	Vectors    string          `json:"vectors,omitempty"` // <precision>/<dimensions>[/token]
	Created    time.Time       `json:"created"`
	Settled    int             `json:"settled"`
	Dead       int             `json:"dead"`
	Cancelled  int             `json:"cancelled"`
	Refused    string          `json:"refused,omitempty"`
	Schema     json.RawMessage `json:"schema"`
}

// fileAnswer is what programs are told of a live file.
type fileAnswer struct {
	Path  string `json:"path"`
	Rows  *int64 `json:"rows"` // null when the log does not tell
	Bytes int64  `json:"bytes"`
}

// Info writes what the log says of the table in a directory.
func Info(ctx context.Context, dir string, out io.Writer, asJSON bool) error {
	in, err := export.Inspect(ctx, dir)
	if err != nil {
		return err
	}
	a := tableAnswer{
		Path: in.Path, ID: in.ID, Version: in.Version, Rows: in.Rows, Files: len(in.Files), Bytes: in.Bytes,
		Embedding: in.Embedding, Vectors: in.Vectors.Property(),
		Created: in.Created, Settled: in.Settled, Dead: in.Dead, Cancelled: in.Cancelled, Schema: json.RawMessage(in.Schema),
	}
	if in.Checkpoint >= 0 {
		a.Checkpoint = &in.Checkpoint
	}
	if in.Refused != nil {
		a.Refused = in.Refused.Error()
	}
	if asJSON {
		return plain.JSON(out, a)
	}
	columns, err := columnsOf(in.Schema)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", in.Path, err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]any{
		{"path", a.Path}, {"id", a.ID}, {"created", a.Created.Format(time.RFC3339)}, {"version", a.Version},
		{"checkpoint", checkpointName(in.Checkpoint)}, {"rows", a.Rows}, {"files", a.Files}, {"bytes", a.Bytes},
		{"holds", in.Vectors.String()},
		{"deliveries", fmt.Sprintf("%d committed, %d dead; %d jobs cancelled", a.Settled, a.Dead, a.Cancelled)},
	} {
		err = errors.Join(err, plain.Row(w, line[0], line[1]))
	}
	if a.Refused != "" {
		err = errors.Join(err, plain.Row(w, "not writable", a.Refused))
	}
	for _, c := range columns {
		err = errors.Join(err, plain.Row(w, "column", c))
	}
	return errors.Join(err, w.Flush())
}

func checkpointName(version int64) string {
	if version < 0 {
		return "none"
	}
	return strconv.FormatInt(version, 10)
}

// columnsOf lists a Delta schema as "name type".
func columnsOf(schema string) ([]string, error) {
	columns, err := export.Columns(schema)
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = c.Name + " " + strings.ReplaceAll(c.Type, "array<", "list<")
	}
	return lines, err
}

// Forms of a list of files.
const (
	AsLines = iota // for people: a path a line, escaped where it could be read as something else
	AsJSON         // a path with its rows and bytes a line
	AsNUL          // the bare paths, each ended by a NUL byte, for xargs -0
)

// Files writes the absolute path of each live file.
func Files(ctx context.Context, dir string, out io.Writer, form int) error {
	in, err := export.Inspect(ctx, dir)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for i := range in.Files {
		f := &in.Files[i]
		switch form {
		case AsNUL:
			_, err = w.WriteString(f.Path + "\x00")
		case AsJSON:
			a := fileAnswer{Path: f.Path, Bytes: f.Size}
			if f.Rows >= 0 {
				a.Rows = &f.Rows
			}
			err = plain.JSON(w, a)
		default:
			err = plain.Row(w, f.Path)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}
