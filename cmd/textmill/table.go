package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func tableCommand(*settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "table",
		Short: "Look at a table, check it and export it",
		Long:  "TABLE is a directory, or s3://bucket/prefix/dataset, which AWS_ENDPOINT_URL, AWS_REGION and the usual credentials lead to.",
		Example: `  textmill table info ~/.cache/textmill/tables/docs
  duckdb -c "SELECT count(*) FROM read_parquet([$(textmill table files TABLE | sed "s/.*/'&'/" | paste -sd,)])"`,
	}
	cmd.AddCommand(
		tableSubcommand("info", "Show a table's version, rows, files and schema", local.TableInfo),
		tableSubcommand("files", "List the table's live files, one absolute path or URI a line", local.TableFiles),
		tableSubcommand("verify", "Read every file of a table and compare it with what the log says", local.TableVerify),
		tableExportCommand(),
	)
	return cmd
}

func tableSubcommand(name, short string, run func(ctx context.Context, dir string, out io.Writer, asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     name + " TABLE",
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

func tableExportCommand() *cobra.Command {
	var o local.TableExportOptions
	cmd := &cobra.Command{
		Use:   "export --format openai-batch TABLE",
		Short: "Write a table's rows in another program's form",
		Long: `Writes the rows of TABLE as OpenAI's batches answer requests, one line for each record, in no particular order:
{"id","custom_id","response":{"status_code","request_id","body"},"error"}. The body is a chat.completion, the completions of
a record its choices, or a list of embeddings, the chunks of a record its data. A record that failed has "error" and a status
of 400, or 500 where the model failed. The tokens of log-probabilities are named by their IDs, token_id:N.`,
		Example: `  textmill table export --format openai-batch ~/.cache/textmill/tables/docs > answers.jsonl
  textmill table export --format openai-batch --job docs-1 -o answers.jsonl ~/.cache/textmill/tables/docs`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Format != local.FormatOpenAIBatch {
				return usageError{cmd.CommandPath(), fmt.Errorf("--format %q is not known; there is %s", o.Format, local.FormatOpenAIBatch)}
			}
			o.Dir, o.Out = args[0], cmd.OutOrStdout()
			return local.TableExport(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Format, "format", "", "the form to write: openai-batch")
	cmd.Flags().StringVarP(&o.File, "output", "o", "", "write to `FILE`, which appears when it is complete, instead of standard output")
	cmd.Flags().StringVar(&o.Job, "job", "", "only the rows of this job")
	require(cmd, "format")
	return cmd
}
