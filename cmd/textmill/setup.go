package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"textmill/local"
	"textmill/local/bundles"
)

// setupDevice is what models may be set up to run on.
var setupDevice = regexp.MustCompile(`^(auto|cpu|cuda(:[0-9]{1,3})?)$`)

func setupCommand(s *settings) *cobra.Command {
	var o bundles.SetupOptions
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Obtain libonnxruntime and the default models into the cache",
		Long: `Fetches libonnxruntime and the checkpoints of the default models (all-MiniLM-L6-v2 to embed with, SmolLM2-135M-Instruct to
generate with) by pinned name, version and SHA-256 through whatever source answers first, says which, and imports them.
What is already there and verified is left alone, so it can be run at any time. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are
respected. --json writes a line for each thing that is in place: {"name","version","source","path","fresh"}.

--device cuda also obtains ONNX Runtime's build for NVIDIA's cards and those libraries of CUDA that the system lacks (1.4 GB to
fetch, 2 GB on disk, by pip), loads them by their paths, and says what it found: driver, cards, versions, and for each thing
that is missing what mends it (--json: {"driver","cards","onnxruntime","libraries","ready","missing"} in the last line). A
driver it does not install. Where everything is obtained it ends with 0, whether a card is there or not, so that images can
be made without one. --device auto does the same where a card is found.`,
		Example: `  textmill setup
  textmill setup --device cuda
  HF_ENDPOINT=http://mirror textmill setup`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !setupDevice.MatchString(o.Device) {
				return fmt.Errorf("%w: --device %q is not auto, cpu, cuda or cuda:N", local.ErrUsage, o.Device)
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Out, o.Progress = cmd.OutOrStdout(), s.progress(cmd)
			return bundles.Setup(cmd.Context(), cfg, o)
		},
	}
	cmd.Flags().StringVar(&o.Device, "device", "cpu", "what models are to run on: cpu, cuda, or auto")
	jsonFlag(cmd, &o.JSON)
	return cmd
}
