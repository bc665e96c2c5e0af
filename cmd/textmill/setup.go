package main

import (
	"github.com/spf13/cobra"

	"textmill/local/bundles"
)

func setupCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Obtain libonnxruntime and the default models into the cache",
		Long: `Fetches libonnxruntime and the checkpoints of the default models (all-MiniLM-L6-v2 to embed with, SmolLM2-135M-Instruct to
generate with) by pinned name, version and SHA-256 through whatever source answers first, says which, and imports them.
What is already there and verified is left alone, so it can be run at any time. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are
respected. --json writes a line for each thing that is in place: {"name","version","source","path","fresh"}.`,
		Example: `  textmill setup
  HF_ENDPOINT=http://mirror textmill setup`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return bundles.Setup(cmd.Context(), cfg, cmd.OutOrStdout(), s.progress(cmd), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
