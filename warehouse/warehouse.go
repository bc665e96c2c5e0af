// Package warehouse takes tables into other engines, by recipes that it prints or has the engine run.
package warehouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"textmill/export"
)

// ErrUsage is the class of errors that are the caller's own words.
var ErrUsage = errors.New("wrong usage")

// Options say what is loaded, and where to.
type Options struct {
	Table  string // path or URI
	Engine string
	Name   string // of the table there; "" is the last part of Table
	Run    string // where the engine is; "" prints
	Python string // an interpreter that has the engine's library
	Since  string // a version, "last" or ""
	Errors bool   // load rows that are errors too
	Out    io.Writer
	About  io.Writer
}

// SinceLast is what was not loaded yet, where the engine knows what was.
const SinceLast = "last"

// Load prints what loads a table into an engine, or has the engine run it.
func Load(ctx context.Context, o Options) error {
	r, err := Find(o.Engine)
	if err != nil {
		return err
	}
	if o.Run != "" && r.Runs == "" {
		return fmt.Errorf("%w: textmill cannot reach %s: print the recipe, and run it where you reach it", ErrUsage,
			r.Title)
	}
	c, err := changes(ctx, r, &o)
	if err != nil {
		return err
	}
	t, err := open(c, o.Name, o.Errors)
	if err != nil {
		return err
	}
	if err := r.takes(t); err != nil {
		return err
	}
	rows := &rowCopier{t: t}
	switch {
	case o.Run == "":
		err = r.print(ctx, o.Out, rows)
	case r.Runs == "pgx":
		err = r.runPostgres(ctx, o.Run, o.Out, rows)
	default:
		err = r.runProgram(ctx, o, rows)
	}
	if err != nil {
		return err
	}
	rows.tell(o.About)
	if o.Run != "" {
		_, err = fmt.Fprintf(o.About, "loaded version %d of %s: %s\n", t.Version, comment(t.Path), t.summary())
	}
	return err
}

// changes finds out what is to be loaded, and under which name.
func changes(ctx context.Context, r *Recipe, o *Options) (*export.Changes, error) {
	since := int64(-1)
	switch o.Since {
	case "":
	case SinceLast:
		if r.Runs != "pgx" || o.Run == "" {
			return nil, fmt.Errorf("%w: only pgvector with --run knows what was loaded last; give --since a version", ErrUsage)
		}
	default:
		var err error
		if since, err = strconv.ParseInt(o.Since, 10, 64); err != nil || since < 0 {
			return nil, fmt.Errorf("%w: --since %q is neither a version nor %s", ErrUsage, o.Since, SinceLast)
		}
	}
	c, err := export.ChangesSince(ctx, o.Table, since)
	if errors.Is(err, export.ErrForgotten) {
		return nil, fmt.Errorf("%w; load all of it, without --since", err)
	}
	if err != nil {
		return nil, err
	}
	o.Name = cmp.Or(o.Name, defaultName(c.Path))
	if err := checkName(o.Name); err != nil || o.Since != SinceLast {
		return c, err
	}
	if since, err = lastLoad(ctx, o.Run, o.Name, c.ID, o.Errors); err != nil || since < 0 {
		return c, err
	}
	later, err := export.ChangesSince(ctx, o.Table, since)
	if errors.Is(err, export.ErrForgotten) {
		fmt.Fprintf(o.About, "%v; all of it is loaded\n", err)
		return c, nil
	}
	return later, err
}

// summary says in a line what was loaded.
func (t *table) summary() string {
	if t.All() {
		return fmt.Sprintf("all %d files", len(t.Files))
	}
	return fmt.Sprintf("what changed since version %d, %d files, %d gone", t.Since, len(t.Files), len(t.Gone))
}
