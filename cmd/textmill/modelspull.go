package main

import (
	"github.com/spf13/cobra"

	"textmill/local/bundles"
)

func modelsPullCommand(s *settings) *cobra.Command {
	var o bundles.PullOptions
	cmd := &cobra.Command{
		Use:   "pull SRC [--name NAME]",
		Short: "Obtain a model into the cache",
		Long: `SRC is a model of the Hugging Face hub, owner/name or owner/name@revision, or one that textmill knows by name.
HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are respected. The SHA-256 of every file is recorded, and stamped into every row that the model makes.`,
		Example: `  textmill models pull sentence-transformers/all-MiniLM-L6-v2
  textmill models pull BAAI/bge-small-en-v1.5 --name bge-small`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Source, o.Out, o.Progress = args[0], cmd.OutOrStdout(), s.progress(cmd)
			return bundles.Pull(cmd.Context(), cfg, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` of the model; default: derived from SRC")
	jsonFlag(cmd, &o.JSON)
	return cmd
}
