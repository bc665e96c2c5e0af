package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"textmill/ground/regular"
	"textmill/local/questions"
	"textmill/local/tables"
)

func searchCommand(s *settings) *cobra.Command {
	var o questions.Options
	var f questions.Form
	var file string
	cmd := &cobra.Command{
		Use:   "search TABLE [-k N] [--where NAME=VALUE]... QUESTION...",
		Short: "Find the rows of a table that are nearest to a question",
		Long: `Embeds each QUESTION with the very model that made the table's vectors (by the rows' model_sha256), with the model's prompt
for queries where it has one, compares it with every vector of the table, and writes the nearest rows, the nearest first.
TABLE is a dataset's name, a directory or s3://bucket/prefix/dataset. Nothing is indexed: only the vectors of the table's
files are read, of one version of it, once for up to 1,024 questions. Rows without a vector, as those of errors, are left out.

Vectors are compared as the model's files say (similarity_fn_name), else by cosine; those of int8 and uint8 by cosine, binary
ones by the share of bits that are the same (hamming). --where is met by rows whose column, or else attribute, has that very
value (attributes.NAME is an attribute in any case); several must all be met. Numbers and booleans are written as in JSON, times
in UTC as 2026-01-31T12:00:00Z.

--json writes a line for each row, {"query","rank","id","score","text","attributes","chunk","file","version"}, or
{"query","error"} for a question that cannot be embedded.`,
		Example: `  textmill search docs "how do I read a file line by line"
  textmill search docs -k 3 --where lang=en --json "sort a slice"
  textmill search docs --queries questions.jsonl --json > answers.jsonl    # {"id","text"} a line`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(runtimeSettings(cmd)...)
			if err != nil {
				return err
			}
			if o.Table = args[0]; tables.IsDataset(o.Table) {
				if o.Table, err = tables.URI(cfg, o.Table); err != nil {
					return err
				}
			}
			o.Questions.Args, o.Questions.In = args[1:], cmd.InOrStdin()
			f.Out, o.Log = cmd.OutOrStdout(), logger(cfg, cmd.ErrOrStderr())
			if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
				f.Width = width
			}
			if (len(args) > 1) == (file != "") {
				return usageError{cmd.CommandPath(), errors.New("give questions, or --queries with a file of them")}
			}
			return withQuestions(file, &o, func() error { return questions.Ask(cmd.Context(), cfg, o, f) })
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&o.K, "top", "k", 10, "how many rows answer a question, at most")
	flags.StringArrayVar(&o.Where, "where", nil, "only rows whose column or attribute has a value, `NAME=VALUE`; may be repeated")
	flags.StringVar(&file, "queries", "", "read questions from the JSONL `FILE`, {\"id\",\"text\"} a line; - is standard input")
	flags.StringVarP(&o.Model, "model", "m", "", "`NAME` or NAME@HASH of the model whose rows are meant, where the table has several")
	flags.StringVar(&o.Metric, "metric", "", "cosine, dot, euclidean or hamming; default: the model's, or what the precision needs")
	paramFlag(cmd, &o.Params)
	runtimeFlags(cmd)
	jsonFlag(cmd, &f.JSON)
	cmd.ValidArgsFunction = completeOne(s, completeDatasets)
	completeFlag(cmd, s, "metric", oneOf("cosine", "dot", "euclidean", "hamming"))
	return cmd
}

// withQuestions opens the file of questions for as long as it is read; "" and - are none.
func withQuestions(file string, o *questions.Options, run func() error) error {
	if file == "" || file == "-" {
		return run()
	}
	in, err := regular.Open(file)
	if err != nil {
		return fmt.Errorf("--queries: %w", err)
	}
	defer in.Close()
	o.Questions.In = in
	return run()
}
