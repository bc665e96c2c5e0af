package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"textmill/ground/plain"
	"textmill/local/tables"
)

func tableCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "table",
		Short: "List the tables, look at one, check it, export it and keep it up",
		Long: `TABLE is a dataset's name, whose table lies in export.uri, or a directory (./docs), or s3://bucket/prefix/dataset, which
AWS_ENDPOINT_URL, AWS_REGION and the usual credentials lead to.`,
		Example: `  textmill table list
  textmill table info docs
  duckdb -c "SELECT count(*) FROM read_parquet([$(textmill table files docs | sed "s/.*/'&'/" | paste -sd,)])"`,
	}
	cmd.AddCommand(
		tableListCommand(s),
		tableSubcommand(s, "info", "Show a table's version, rows, files and schema", tables.Info),
		tableFilesCommand(s),
		tableSubcommand(s, "verify", "Read every file of a table and compare it with what the log says", tables.Verify),
		tableExportCommand(s),
		tableHistoryCommand(s), tableDeleteCommand(s), tableCompactCommand(s), tableVacuumCommand(s),
		tableCheckpointCommand(s),
		tableLoadCommand(s),
		tableFollowCommand(s),
		tableRetryErrorsCommand(s),
	)
	return cmd
}

func tableListCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tables of export.uri",
		Example: `  textmill table list --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.loadPlaces(cmd)
			if err != nil {
				return err
			}
			return tables.List(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// onTable finishes a command that works on the one table its argument names.
func onTable(s *settings, cmd *cobra.Command, run func(cmd *cobra.Command, uri string) error) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = completeOne(s, completeDatasets)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		uri := args[0]
		if tables.IsDataset(uri) {
			cfg, err := s.loadPlaces(cmd)
			if err != nil {
				return err
			}
			if uri, err = tables.URI(cfg, uri); err != nil {
				return err
			}
		}
		return run(cmd, uri)
	}
	return cmd
}

func tableSubcommand(s *settings, name, short string, run func(ctx context.Context, dir string, out io.Writer,
	asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := onTable(s, &cobra.Command{
		Use:     name + " TABLE",
		Short:   short,
		Example: "  textmill table " + name + " docs\n  textmill table " + name + " ~/.local/share/textmill/tables/docs",
	}, func(cmd *cobra.Command, uri string) error {
		return run(cmd.Context(), uri, cmd.OutOrStdout(), asJSON)
	})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func tableFilesCommand(s *settings) *cobra.Command {
	var asJSON, asNUL bool
	cmd := onTable(s, &cobra.Command{
		Use:   "files TABLE",
		Short: "List the table's live files, one absolute path or URI a line",
		Long: `Lists the files that hold the table's rows at this moment. A character in a path that could pass for another line or steer
a terminal is written as an escape; -0 gives programs the bare paths, each ended by a NUL byte.`,
		Example: `  textmill table files docs
  textmill table files -0 docs | xargs -0 ls -l`,
	}, func(cmd *cobra.Command, uri string) error {
		out, form := cmd.OutOrStdout(), tables.AsLines
		switch {
		case asJSON && asNUL:
			return usageError{cmd.CommandPath(), errors.New("give --json or -0, not both")}
		case asNUL && term.IsTerminal(int(os.Stdout.Fd())):
			return usageError{cmd.CommandPath(), errors.New("-0 is for programs; standard output is a terminal")}
		case asNUL:
			out, form = plain.Raw(out), tables.AsNUL
		case asJSON:
			form = tables.AsJSON
		}
		return tables.Files(cmd.Context(), uri, out, form)
	})
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVarP(&asNUL, "null", "0", false, "end each path with a NUL byte, for xargs -0")
	return cmd
}

func tableExportCommand(s *settings) *cobra.Command {
	var o tables.ExportOptions
	cmd := onTable(s, &cobra.Command{
		Use:   "export --format openai-batch TABLE",
		Short: "Write a table's rows in another program's form",
		Long: `Writes the rows of TABLE as OpenAI's batches answer requests, one line for each request, in no particular order:
{"id","custom_id","response":{"status_code","request_id","body"},"error"}. The body is a chat.completion, the completions of
a record its choices, or a list of embeddings, a request's inputs, or else the chunks of a record, its data. A request that failed,
or one of whose inputs did, has "error" and a status of 400, or 500 where the model failed. The tokens of log-probabilities are
named by their IDs, token_id:N. Rows may lie in any order: what does not fit into 64 MiB of memory goes into temporary files.`,
		Example: `  textmill table export --format openai-batch docs > answers.jsonl
  textmill table export --format openai-batch --job docs-1 -o answers.jsonl docs`,
	}, func(cmd *cobra.Command, uri string) error {
		if o.Format != tables.FormatOpenAIBatch {
			return usageError{cmd.CommandPath(), fmt.Errorf("--format %q is not known; there is %s", o.Format,
				tables.FormatOpenAIBatch)}
		}
		o.Dir, o.Out = uri, cmd.OutOrStdout()
		return tables.Export(cmd.Context(), o)
	})
	cmd.Flags().StringVar(&o.Format, "format", "", "the form to write: openai-batch")
	cmd.Flags().StringVarP(&o.File, "output", "o", "",
		"write to `FILE`, which appears when it is complete, instead of standard output")
	cmd.Flags().StringVar(&o.Job, "job", "", "only the rows of this job")
	require(cmd, "format")
	completeFlag(cmd, s, "format", oneOf(tables.FormatOpenAIBatch))
	return cmd
}
