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
		Long: `SRC is a model of the Hugging Face hub, owner/name or owner/name@revision, or one that textmill knows by name
(textmill models list --known). What comes as a checkpoint, as nearly all known ones do, is imported on the spot, in fp32; an ONNX
file that others exported is taken as it is. Known names are looked up at the hub as it is at that moment, and NAME@revision at
another; every file is compared with the hub's own hash of it, and only the default models are pinned to bytes. A download that broke
off is taken up where it ended. Gated models need their terms accepted on the hub, and HF_TOKEN.
HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are respected. The SHA-256 of every file is recorded, and stamped into every row that the model makes.`,
		Example: `  textmill models pull sentence-transformers/all-MiniLM-L6-v2
  textmill models pull bge-small-en-v1.5
  textmill models pull BAAI/bge-small-en-v1.5@main --name bge-small`,
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
