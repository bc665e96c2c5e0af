package main

import (
	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func modelsPullCommand(s *settings) *cobra.Command {
	var o local.PullOptions
	cmd := &cobra.Command{
		Use:   "pull SRC [--name NAME]",
		Short: "Obtain a model from the Hugging Face hub, or take a directory over, into the cache",
		Long: `SRC is a model of the Hugging Face hub (owner/name) or a directory in its layout. HF_ENDPOINT, HF_TOKEN and
HF_HUB_OFFLINE are respected. The SHA-256 of every file is recorded, and stamped into every row that the model makes.`,
		Example: `  textmill models pull sentence-transformers/all-MiniLM-L6-v2
  textmill models pull ./my-model --name mine`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Source, o.Out, o.Log = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return local.PullModel(cmd.Context(), cfg, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` of the model; default: derived from SRC")
	return cmd
}
