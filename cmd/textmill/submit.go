package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
	"textmill/ground/regular"
	"textmill/input"
)

func submitCommand(s *settings) *cobra.Command {
	var o client.SubmitOptions
	var list string
	cmd := &cobra.Command{
		Use:   "submit --model M --dataset D [--param k=v]... FILE...|-",
		Short: "Publish files of texts as one job, and wait until its rows are committed",
		Long: `Reads JSONL, CSV, TSV, Parquet, text lines or OpenAI-batch JSONL from FILEs, also .gz and .zst, or from standard input (-),
in constant memory; cuts them into shards and publishes those that are not in the table yet. The job's name is derived
from the content of the FILEs, which are read once for it, dataset, task, model and params, so running it again after a
crash repeats nothing. Standard input can only be resumed with --job. The task is that of the model. A line of a text
file has the id FILE:LINE and the attributes file and line; of a stream, the number that its shard gives it.

A FILE may be a directory, of which all files are read, those below it too, or a pattern in quotes ('logs/*.jsonl.zst'), in the
order of their paths; names that begin with a dot are left out. --files-from reads such names from a file.

It waits for the verdict on each shard and ends with one line: rows, of them errors, texts cut and tokens dropped, shards
dead and why. Exit 0: every record is a row and at least one is no error row. Exit 1: a shard is dead, cancelled or
unanswered, all rows are errors, or more than --max-errors. Where none of the first 200 records can be used, nothing is
published. Ctrl-C ends the waiting, not the job, with exit 130.

With --sync the dataset becomes equal to the FILEs, whose records must all have ids: their content, the params and the
model's files are compared with the table (content_sha256), records that are new, changed or error rows are computed, and one
commit swaps their rows in; readers see the dataset as it was or as it is to be. Nothing is deleted without
--delete-missing. Run it again after a crash: it goes on. Where others change the same records meanwhile, it fails and can be
repeated. With another --model the whole dataset is computed anew and switches in one commit.`,
		Example: `  textmill submit --model all-MiniLM-L6-v2 --dataset docs corpus.jsonl.zst
  textmill submit --model all-MiniLM-L6-v2 --dataset reviews --text-column body --id-column key --max-errors 1% reviews.csv
  textmill submit --model SmolLM2-135M-Instruct --dataset answers --param max_new_tokens=64 prompts.jsonl
  zcat texts.gz | textmill submit --model all-MiniLM-L6-v2 --dataset notes --format text --job notes-1 -
  textmill submit --sync --delete-missing --model all-MiniLM-L6-v2 --dataset docs corpus.jsonl.zst
  textmill submit --dataset batch requests.jsonl    # OpenAI-batch requests name their model`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Files, err = filesOf(cmd, args, list); err != nil {
				return err
			}
			o.Stdin, o.Stdout, o.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			o.Terminal, o.Quiet = onTerminal(), s.mute
			submit := func(ctx context.Context, cfg config.Config, q *client.Queue) (err error) {
				if err = o.Configure(cfg, version); err == nil {
					_, err = client.Submit(ctx, q, o)
				}
				return err
			}
			if !o.DryRun {
				return onQueue(cmd, s, submit)
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return submit(cmd.Context(), cfg, nil)
		},
	}
	submitFlags(cmd, &o)
	cmd.Flags().StringVar(&list, "files-from", "", "read the names of files, directories and patterns from `FILE`, one a line; - is standard input")
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

// submitFlags are those that say what is submitted, and how.
func submitFlags(cmd *cobra.Command, o *client.SubmitOptions) {
	flags := cmd.Flags()
	flags.StringVar(&o.Task, "task", "", "embed or generate; default: the model's")
	flags.StringVarP(&o.Model, "model", "m", "", "`NAME` of a model that a daemon serves")
	flags.StringVarP(&o.Dataset, "dataset", "d", "", "`NAME` of the table; default: default")
	flags.StringVar(&o.Job, "job", "", "`NAME` of the job; default: derived from everything else")
	paramFlag(cmd, &o.Params)
	flags.StringVar(&o.Input.Format, "format", "", "jsonl, csv, tsv, parquet, text or openai-batch; default: by name and content")
	flags.StringVar(&o.Input.TextColumn, "text-column", "", "`NAME` of the column or key that holds the text; default: text")
	flags.StringVar(&o.Input.IDColumn, "id-column", "", "`NAME` of the column or key that holds the id; default: id")
	flags.StringVar(&o.MaxErrors, "max-errors", "", "fail where more rows are errors, `N` of them or N%; default: only where all are")
	flags.BoolVar(&o.Sync, "sync", false, "make the dataset equal to the input: compute what is new or changed, and swap it in with one commit")
	flags.BoolVar(&o.DeleteMissing, "delete-missing", false, "with --sync: delete records that are not in the input")
	flags.BoolVar(&o.DeleteAll, "delete-all", false, "with --sync --delete-missing: also where the input is empty")
	flags.BoolVar(&o.NoWait, "no-wait", false, "end when everything is published")
	flags.BoolVar(&o.DryRun, "dry-run", false, "count records and show problems, with the exit code that they would bring; publish nothing")
	flags.BoolVar(&o.Force, "force", false, "publish for a model that neither a daemon nor the cache knows, and records that cannot be used")
}

// filesOf are the files that the arguments and the list of --files-from name.
func filesOf(cmd *cobra.Command, args []string, list string) ([]string, error) {
	switch {
	case list == "-":
		more, err := input.List(cmd.InOrStdin(), "--files-from -")
		if err != nil {
			return nil, err
		}
		args = append(args, more...)
	case list != "":
		f, err := regular.Open(list)
		if err != nil {
			return nil, fmt.Errorf("--files-from: %w", err)
		}
		defer f.Close()
		more, err := input.List(f, list)
		if err != nil {
			return nil, err
		}
		args = append(args, more...)
	}
	if len(args) == 0 {
		return nil, usageError{cmd.CommandPath(), errors.New("name a FILE, or - for standard input")}
	}
	if list == "-" && slices.Contains(args, "-") {
		return nil, usageError{cmd.CommandPath(), errors.New("standard input is the list of files, and cannot be one")}
	}
	return input.Expand(args)
}
