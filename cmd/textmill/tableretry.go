package main

import (
	"context"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
)

func tableRetryErrorsCommand(s *settings) *cobra.Command {
	var o client.SubmitOptions
	cmd := &cobra.Command{
		Use:   "retry-errors DATASET",
		Short: "Compute a dataset's error rows again, and replace them",
		Long: `Publishes the records of DATASET's error rows again, from the text or messages and the attributes in the rows, waits, and
replaces the rows of these records with one commit for each model. Params are not in the rows: give those of the job with
--param, and content_sha256 tells whether they are right. A record that a row does not hold whole is named and left, with exit 1.`,
		Example: `  textmill table retry-errors docs
  textmill table retry-errors answers --param max_new_tokens=64 --dry-run`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeOne(s, completeDatasets),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dataset, o.Stdout, o.Stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			o.Terminal, o.Quiet = onTerminal(), s.mute
			return onQueue(cmd, s, func(ctx context.Context, cfg config.Config, q *client.Queue) error {
				if err := o.Configure(cfg, version); err != nil {
					return err
				}
				return client.RetryErrors(ctx, q, o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Model, "model", "m", "", "only the rows of this model")
	paramFlag(cmd, &o.Params)
	flags.StringVar(&o.MaxErrors, "max-errors", "", "replace nothing where more rows are errors again, `N` of them or N%; default: only where all are")
	flags.BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and change nothing")
	natsFlag(cmd)
	jsonFlag(cmd, &o.JSON)
	return cmd
}
