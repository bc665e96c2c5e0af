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
	"textmill/open/telemetry"
)

func submitCommand(s *settings) *cobra.Command {
	var o client.SubmitOptions
	var list, part string
	cmd := &cobra.Command{
		Use:     "submit --model M --dataset D [--param k=v]... FILE...|-",
		Short:   "Publish files of texts as one job, and wait until its rows are committed",
		Long:    submitLong,
		Example: submitExamples,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Files, o.Names, err = filesOf(cmd, args, list); err != nil {
				return err
			}
			if part != "" {
				if o.Part, err = client.ParsePart(part); err != nil {
					return usageError{cmd.CommandPath(), fmt.Errorf("--part %w", err)}
				}
			}
			o.Stdin, o.Stdout, o.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			o.Terminal, o.Quiet = onTerminal(), s.mute
			submit := func(ctx context.Context, cfg config.Config, q *client.Queue) (err error) {
				if err = o.Configure(cfg, version); err != nil {
					return err
				}
				log := logger(cfg, cmd.ErrOrStderr())
				if o.Tracer, err = telemetry.Open(ctx, cfg.Telemetry, version, log); err != nil {
					return err
				}
				_, err = client.Submit(ctx, q, o)
				if end := o.Tracer.Close(); end != nil { // what was submitted goes on
					log.WarnContext(ctx, "traces are not sent", "error", end)
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
	cmd.Flags().StringVar(&part, "part", "", "send only the `K/N`th shards of the job, as one of N publishers that are given the same FILEs, as 3/10")
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
	columnFlags(flags, &o.Input)
	flags.StringSliceVar(&o.Input.AttributeColumns, "attribute-columns", nil, "`NAMES` of the columns or keys that become attributes, separated by commas; default: all others")
	flags.BoolVar(&o.WholeFiles, "whole-files", false, "make one record of each file, with its path as id: Markdown, text and HTML, of which the text is taken")
	flags.StringVar(&o.MaxErrors, "max-errors", "", "fail where more rows are errors, `N` of them or N%; default: only where all are")
	flags.BoolVar(&o.Sync, "sync", false, "make the dataset equal to the input: compute what is new or changed, and swap it in with one commit")
	flags.BoolVar(&o.DeleteMissing, "delete-missing", false, "with --sync: delete records that are not in the input")
	flags.BoolVar(&o.DeleteAll, "delete-all", false, "with --sync --delete-missing: also where the input is empty")
	flags.StringVar(&o.OnRepeat, "on-repeat", "", "append, replace or skip records that the dataset holds already, by their ids; default: as the daemon's export.on_repeat says")
	flags.BoolVar(&o.NoWait, "no-wait", false, "end when everything is published")
	flags.BoolVar(&o.DryRun, "dry-run", false, "count records and show problems, with the exit code that they would bring; publish nothing")
	flags.BoolVar(&o.Force, "force", false, "publish for a model that neither a daemon nor the cache knows, and records that cannot be used")
}

// filesOf are the files, and their names, that the arguments and the list of --files-from name.
func filesOf(cmd *cobra.Command, args []string, list string) (files, names []string, err error) {
	switch {
	case list == "-":
		more, err := input.List(cmd.InOrStdin(), "--files-from -")
		if err != nil {
			return nil, nil, err
		}
		args = append(args, more...)
	case list != "":
		f, err := regular.Open(list)
		if err != nil {
			return nil, nil, fmt.Errorf("--files-from: %w", err)
		}
		defer f.Close()
		more, err := input.List(f, list)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, more...)
	}
	if len(args) == 0 {
		return nil, nil, usageError{cmd.CommandPath(), errors.New("name a FILE, or - for standard input")}
	}
	if list == "-" && slices.Contains(args, "-") {
		return nil, nil, usageError{cmd.CommandPath(), errors.New("standard input is the list of files, and cannot be one")}
	}
	return input.Expand(args)
}
