package main

import (
	"github.com/spf13/cobra"

	"textmill/daemon/client"
)

func statusCommand(s *settings) *cobra.Command {
	var o client.StatusOptions
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Show how far jobs are",
		Example: `  textmill status
  textmill status docs-1 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(flagSetting(cmd, "nats-url", "nats.url")...)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				o.Job = args[0]
			}
			o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			q, err := client.Connect(cmd.Context(), cfg, logger(cfg, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer q.Close()
			return client.Status(cmd.Context(), q, o)
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
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(flagSetting(cmd, "nats-url", "nats.url")...)
			if err != nil {
				return err
			}
			o.Job, o.Stdout, o.Stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			q, err := client.Connect(cmd.Context(), cfg, logger(cfg, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer q.Close()
			return client.Watch(cmd.Context(), q, o)
		},
	}
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func cancelCommand(s *settings) *cobra.Command {
	var o client.CancelOptions
	cmd := &cobra.Command{
		Use:     "cancel JOB",
		Short:   "Stop a job; rows that are committed stay",
		Example: `  textmill cancel docs-1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(flagSetting(cmd, "nats-url", "nats.url")...)
			if err != nil {
				return err
			}
			o.Job, o.Stdout, o.Stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			q, err := client.Connect(cmd.Context(), cfg, logger(cfg, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer q.Close()
			_, err = client.Cancel(cmd.Context(), q, o)
			return err
		},
	}
	cmd.Flags().DurationVar(&o.Wait, "wait", 0, "`TIME` to wait for a daemon's confirmation; default: 10s")
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}
