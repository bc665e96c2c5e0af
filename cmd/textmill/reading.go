package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"textmill/input"
	"textmill/local"
)

// columnFlags say where an input has its records.
func columnFlags(flags *pflag.FlagSet, o *input.Options) {
	flags.StringVar(&o.Format, "format", "", "jsonl, csv, tsv, parquet, text or openai-batch; default: by name and content")
	flags.StringVar(&o.TextColumn, "text-column", "", "`NAME` of the column or key that holds the text; default: text")
	flags.StringVar(&o.TextTemplate, "text-template", "", "`TEMPLATE` that joins several columns to the text, as '{title}\\n\\n{body?}'")
	flags.StringVar(&o.IDColumn, "id-column", "", "`NAME` of the column or key that holds the id; default: id")
}

// recordsHelp says what they do.
const recordsHelp = `--from, --format, --text-column, --text-template and --id-column read records as submit does: JSONL, CSV, TSV, Parquet and lines
of text, files and objects, also .gz and .zst; names with dots lead into objects. A program that waits for each answer says --format too.`

// recordsFlags let a command that works on texts read its records as submit does.
func recordsFlags(cmd *cobra.Command, r *local.Records) {
	cmd.Flags().StringArrayVar(&r.From, "from", nil,
		"read the records of `FILE`, of objects (s3://bucket/key, or a prefix that ends in a slash), or of standard input (-); may be repeated")
	columnFlags(cmd.Flags(), &r.Options)
}

// textsOf is what a command works on: its arguments, lines of standard input, or records.
func textsOf(cmd *cobra.Command, args []string, r *local.Records) (local.Texts, error) {
	t := local.Texts{Args: args, In: cmd.InOrStdin()}
	for _, name := range []string{"from", "format", "text-column", "text-template", "id-column"} {
		if !cmd.Flags().Changed(name) {
			continue
		}
		if len(args) > 0 {
			return t, usageError{cmd.CommandPath(), errors.New("--" + name + " is for records that are read; leave the texts out")}
		}
		t.Records = r
	}
	return t, nil
}
