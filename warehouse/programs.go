package warehouse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// runner is a program that takes a recipe on its standard input, and the target as its argument.
type runner struct {
	command []string
	other   []string // what runs where command is not on this machine
}

// What stands in a runner's words for the interpreter of --python, and for the engine's place.
const (
	thePython = "%p"
	theTarget = "%s"
)

// duckdbByPython is what DuckDB's command line does, for who has its Python package only.
const duckdbByPython = `import duckdb, sys
c = duckdb.connect(sys.argv[1])
c.execute("SET enable_progress_bar = false")
for s in duckdb.extract_statements(sys.stdin.read()):
    done = c.execute(s)
for row in done.fetchall():
    print(*row, sep="\t")
`

// runners are how recipes are run by other programs.
var runners = map[string]runner{
	"python": {command: []string{thePython, "-", theTarget}},
	"duckdb": {command: []string{"duckdb", "-bail", theTarget}, other: []string{thePython, "-c", duckdbByPython, theTarget}},
	"clickhouse": {
		command: []string{"clickhouse", "local", "--path", theTarget, "--multiquery"},
		other:   []string{thePython, "-c", chdbByPython, theTarget},
	},
}

// chdbByPython is clickhouse local by its Python package.
const chdbByPython = `import sys
from chdb import session
print(session.Session(sys.argv[1]).query(sys.stdin.read(), "TabSeparated"), end="")
`

// runProgram hands the recipe to the engine's program.
func (r *Recipe) runProgram(ctx context.Context, o Options, c *rowCopier) error {
	with, ok := runners[r.Runs]
	if !ok {
		return fmt.Errorf("recipe of %s: nothing runs %q", r.Engine, r.Runs)
	}
	var recipe bytes.Buffer
	if err := r.print(ctx, &recipe, c); err != nil {
		return err
	}
	python := cmp.Or(o.Python, "python3")
	for _, words := range [][]string{with.command, with.other} {
		if len(words) == 0 {
			continue
		}
		args := make([]string, len(words))
		for i, w := range words {
			switch w {
			case thePython:
				w = python
			case theTarget:
				w = o.Run
			}
			args[i] = w
		}
		path, err := exec.LookPath(args[0])
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("run %s: %w", args[0], err)
		}
		cmd := exec.CommandContext(ctx, path, args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = &recipe, o.Out, o.About
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("load into %s by %s: %w; it needs %s", r.Title, args[0], err, r.Needs)
		}
		return nil
	}
	return fmt.Errorf("load into %s: neither its program nor %s is on this machine; it needs %s", r.Title, python, r.Needs)
}
