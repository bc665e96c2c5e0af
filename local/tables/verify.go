package tables

import (
	"context"
	"errors"
	"fmt"
	"io"

	"textmill/export"
	"textmill/ground/plain"
)

// ErrUnsound is the class of tables that Verify found problems in.
var ErrUnsound = errors.New("the table is not sound")

// verifyAnswer is what programs are told of a check.
type verifyAnswer struct {
	Path     string   `json:"path"`
	Version  int64    `json:"version"`
	OK       bool     `json:"ok"`
	Rows     int64    `json:"rows"`
	Files    int      `json:"files"`
	Problems []string `json:"problems"`
	Unnamed  []string `json:"unnamed"`
}

// Verify reads every file of the table in a directory and compares it with what the log says. Problems go to out, and
// make ErrUnsound the answer.
func Verify(ctx context.Context, dir string, out io.Writer, asJSON bool) error {
	v, err := export.Verify(ctx, dir)
	if err != nil {
		return err
	}
	if asJSON {
		err = plain.JSON(out, verifyAnswer{
			Path: v.Path, Version: v.Version, OK: len(v.Problems) == 0, Rows: v.RowsRead, Files: len(v.Files),
			Problems: append([]string{}, v.Problems...), Unnamed: append([]string{}, v.Unnamed...),
		})
	} else {
		err = printVerification(out, v)
	}
	if err == nil && len(v.Problems) > 0 {
		err = fmt.Errorf("%w: %s has %d problems", ErrUnsound, v.Path, len(v.Problems))
	}
	return err
}

func printVerification(out io.Writer, v *export.Verification) error {
	for _, p := range v.Problems {
		if _, err := fmt.Fprintf(out, "problem: %s\n", plain.Text(p)); err != nil {
			return err
		}
	}
	for _, name := range v.Unnamed {
		if _, err := fmt.Fprintf(out, "not in the log: %s (about to be committed, or removed by the next sweep)\n",
			plain.Text(name)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "version %d: %d rows read from %d files, %d problems\n", v.Version, v.RowsRead,
		len(v.Files), len(v.Problems))
	return err
}
