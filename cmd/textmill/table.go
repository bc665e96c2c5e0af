package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func tableCommand(*settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "table",
		Short: "Look at a table and check it",
		Example: `  textmill table info ~/.cache/textmill/tables/docs
  duckdb -c "SELECT count(*) FROM read_parquet([$(textmill table files DIR | sed "s/.*/'&'/" | paste -sd,)])"`,
	}
	cmd.AddCommand(
		tableSubcommand("info", "Show a table's version, rows, files and schema", local.TableInfo),
		tableSubcommand("files", "List the table's live files, one absolute path a line", local.TableFiles),
		tableSubcommand("verify", "Read every file of a table and compare it with what the log says", local.TableVerify),
	)
	return cmd
}

func tableSubcommand(name, short string, run func(ctx context.Context, dir string, out io.Writer, asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     name + " DIR",
		Short:   short,
		Example: "  textmill table " + name + " ~/.cache/textmill/tables/docs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), args[0], cmd.OutOrStdout(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
