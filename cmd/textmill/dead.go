package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
)

func deadCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Look at the dead letters, and put them back",
		Example: `  textmill dead list --class invalid_job
  textmill dead retry --all --job docs-1`,
	}
	cmd.AddCommand(deadListCommand(s), deadShowCommand(s), deadRetryCommand(s))
	return cmd
}

func deadListCommand(s *settings) *cobra.Command {
	var o client.DeadOptions
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List dead letters with their reasons",
		Example: `  textmill dead list --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				return client.DeadList(ctx, q, o)
			})
		},
	}
	deadFlags(cmd, &o)
	return cmd
}

func deadShowCommand(s *settings) *cobra.Command {
	var o client.DeadOptions
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one dead letter with its payload",
		Example: `  textmill dead show 12`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeOne(s, completeLetters),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				return client.DeadShow(ctx, q, args[0], o)
			})
		},
	}
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func deadRetryCommand(s *settings) *cobra.Command {
	var o client.DeadOptions
	var all bool
	cmd := &cobra.Command{
		Use:   "retry ID...|--all",
		Short: "Publish dead letters again as they came; nothing is doubled",
		Long: "Publish dead letters again as they came. A shard whose rows are in the table is not made twice: letters of class\n" +
			"identity_conflict, whose name another payload's rows have, are left unless it is said which of the two shall live.",
		Example: `  textmill dead retry 12 13
  textmill dead retry --all --class identity_conflict --as-new-job nightly-2`,
		Args: cobra.ArbitraryArgs,

		ValidArgsFunction: completeMany(s, completeLetters),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{cmd.CommandPath(), errors.New("name the letters, or give --all")}
			}
			o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				return client.DeadRetry(ctx, q, args, o)
			})
		},
	}
	cmd.Flags().StringVar(&o.Keep, "keep", "",
		"of an identity_conflict, `committed`: the table's rows; the letter is dropped")
	cmd.Flags().StringVar(&o.AsNewJob, "as-new-job", "",
		"publish letters of class identity_conflict under this `JOB`'s name")
	cmd.Flags().BoolVar(&all, "all", false, "every letter that --job and --class choose")
	deadFlags(cmd, &o)
	return cmd
}

func deadFlags(cmd *cobra.Command, o *client.DeadOptions) {
	cmd.Flags().StringVar(&o.Job, "job", "", "only letters of this `JOB`")
	cmd.Flags().StringVar(&o.Class, "class", "", "only letters of this `CLASS`, such as invalid_job")
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
}
