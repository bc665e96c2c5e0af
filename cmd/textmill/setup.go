package main

import (
	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func setupCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Obtain libonnxruntime and the default model into the cache",
		Long: `Fetches libonnxruntime and the default model by pinned name, version and SHA-256 through whatever source answers first,
and says which. What is already there and verified is left alone, so it can be run at any time.`,
		Example: `  textmill setup
  HF_ENDPOINT=http://mirror textmill setup`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return local.Setup(cmd.Context(), cfg, cmd.ErrOrStderr())
		},
	}
	return cmd
}
