package main

import (
	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func modelsImportCommand(s *settings) *cobra.Command {
	var o local.ImportOptions
	cmd := &cobra.Command{
		Use:   "import SRC [--name NAME] [--precision P]",
		Short: "Turn a checkpoint into a model of the cache",
		Long: `SRC is a GGUF file, or a Hugging Face directory with safetensors. The result is a model bundle with an ONNX graph made here.
Encoders: BERT, MiniLM, RoBERTa, XLM-R, CamemBERT, DistilBERT, ModernBERT. Decoders (Llama, Mistral, Qwen2, Qwen3, SmolLM) are imported
too, but nothing runs them yet.

--precision: fp32 writes every weight as a float; q8 and q4 write matrices in blocks of 32 with 8 or 4 bits; as-is keeps the
blocks of a GGUF file with their exact values.`,
		Example: `  textmill models import ./all-MiniLM-L6-v2 --name minilm
  textmill models import SmolLM2-135M-Instruct.Q4_1.gguf --precision as-is`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Source, o.Out, o.Progress = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return local.ImportModel(cmd.Context(), cfg, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` of the model; default: derived from SRC")
	cmd.Flags().StringVar(&o.Precision, "precision", "fp32", "`P` of the weights: fp32, q8, q4 or as-is")
	jsonFlag(cmd, &o.JSON)
	return cmd
}
