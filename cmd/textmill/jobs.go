package main

import (
	"context"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
)

func statusCommand(s *settings) *cobra.Command {
	var o client.StatusOptions
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Show how far jobs are",
		Example: `  textmill status
  textmill status docs-1 --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeOne(s, completeJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Job = args[0]
			}
			o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				return client.Status(ctx, q, o)
			})
		},
	}
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func watchCommand(s *settings) *cobra.Command {
	var o client.WatchOptions
	cmd := &cobra.Command{
		Use:     "watch JOB",
		Short:   "Follow a job's events until it is done",
		Example: `  textmill watch docs-1`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeOne(s, completeJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Job, o.Stdout, o.Stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				return client.Watch(ctx, q, o)
			})
		},
	}
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func cancelCommand(s *settings) *cobra.Command {
	var o client.CancelOptions
	cmd := &cobra.Command{
		Use:   "cancel JOB",
		Short: "Stop a job; rows that are committed stay",
		Long: "Stop a job: messages of it that the server has are dropped, and counted; rows that are committed stay. Messages on a subject\n" +
			"that names no job are dropped when a daemon fetches them. The jobs \"text\" and \"default\" gather what names no job, and\n" +
			"are not cancelled.",
		Example: `  textmill cancel docs-1`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeOne(s, completeJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Job, o.Stdout, o.Stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return onQueue(cmd, s, func(ctx context.Context, _ config.Config, q *client.Queue) error {
				_, err := client.Cancel(ctx, q, o)
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&o.Wait, "wait", 0, "`TIME` to wait for a daemon's confirmation; default: 10s")
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}
