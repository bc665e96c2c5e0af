package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/warehouse"
)

func tableLoadCommand(s *settings) *cobra.Command {
	var o warehouse.Options
	cmd := onTable(s, &cobra.Command{
		Use:   "load --to ENGINE TABLE",
		Short: "Print what loads a table into a warehouse, or load it",
		Long: `Prints a recipe that loads this very table, as it is at this moment, into ENGINE: a definition with the vectors' type and length,
what copies the rows, an index, a query of nearest neighbours. It may be run again: it brings rows that are new, changes rows that
are others, and takes away what the table lacks. With --run the engine at TARGET is made to do it: pgvector by textmill itself, in
PostgreSQL's binary COPY; the others by their own program, or by --python with their library.

` + engineList() + `

Rows that are errors are left out unless --errors loads them. --since VERSION loads what changed after that version, deletions
too; --since last what PostgreSQL does not have yet. A row is found again by row_key, a hash over task, model_sha256, job, shard,
record_id and chunk, and of an error row also over error and text.`,
		Example: `  textmill table load docs --to duckdb | duckdb docs.duckdb
  textmill table load docs --to pgvector --run postgres://me@localhost/search
  textmill table load docs --to pgvector --run postgres://me@localhost/search --since last
  textmill table load docs --to pgvector | psql -q search
  textmill table load docs --to snowflake`,
	}, func(cmd *cobra.Command, uri string) error {
		o.Table, o.Out, o.About = uri, cmd.OutOrStdout(), s.progress(cmd)
		if o.Run == "" && !term.IsTerminal(int(os.Stdout.Fd())) {
			o.Out = plain.Raw(o.Out)
		}
		return warehouse.Load(cmd.Context(), o)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.Engine, "to", "", "`ENGINE` to load into")
	flags.StringVar(&o.Run, "run", "", "have the engine at `TARGET` run the recipe: a URL of PostgreSQL, else a file or directory")
	flags.StringVar(&o.Name, "name", "", "`NAME` of the table in the engine; default: the dataset's")
	flags.StringVar(&o.Since, "since", "", "only what changed after `VERSION`, or after what was loaded last")
	flags.BoolVar(&o.Errors, "errors", false, "load rows that are errors too")
	flags.StringVar(&o.Python, "python", "python3", "`PROGRAM` that runs recipes in Python")
	require(cmd, "to")
	completeFlag(cmd, s, "to", func(context.Context, config.Config) []string { return warehouse.Engines() })
	return cmd
}

// engineList says which engines there are, and which of them the recipes were run against.
func engineList() string {
	var b strings.Builder
	for _, checked := range []bool{true, false} {
		if checked {
			b.WriteString("Run against the engine by make test-engines:")
		} else {
			b.WriteString("\nPrinted only, after the vendor's documentation, and not run here:")
		}
		for _, r := range warehouse.Recipes() {
			if r.Checked == checked {
				fmt.Fprintf(&b, "\n  %-11s %s", r.Engine, r.Title)
				if r.Target != "" {
					fmt.Fprintf(&b, "; --run %s", r.Target)
				}
			}
		}
	}
	return b.String()
}
