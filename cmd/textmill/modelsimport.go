package main

import (
	"strings"

	"github.com/spf13/cobra"

	"textmill/local/bundles"
)

func modelsImportCommand(s *settings) *cobra.Command {
	var o bundles.ImportOptions
	cmd := &cobra.Command{
		Use:   "import SRC [--name NAME] [--precision P]",
		Short: "Turn a checkpoint into a model of the cache",
		Long: `SRC is a GGUF file, or a Hugging Face directory with config.json, tokenizer.json and safetensors, in one file or in
shards. The result is a model bundle with an ONNX graph made here, whole or not at all.

To embed with (from directories): ` + strings.Join(bundles.Encoders(), ", ") + `; and decoders that were made
for it: ` + strings.Join(bundles.EmbeddingDecoders(), ", ") + `.
These have no graph for a card yet.
Static models, of model2vec (potion) and sentence-transformers (StaticEmbedding): a table of vectors and a mean. They run on
the processor, whatever the device, and are stored in fp32.
To generate with: ` + strings.Join(bundles.Generators(), ", ") + `
(from directories and GGUF files, whose types F32, F16, BF16, Q4_0,
Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K are read).

A decoder embeds if its directory has sentence-transformers modules (modules.json) or it has no head (Qwen3Model); --task embed asks
any other for that: its vectors are then those of the last token, as sentence-transformers takes them.
A GGUF file embeds if it says how (pooling_type, or attention.causal is false), as those of Qwen3-Embedding, gemma-embedding, bert and
nomic-bert do; vectors of texts are brought to length 1, as llama.cpp's programs do. Files that rank are refused.

generation_config.json is honoured key by key; keys that would change texts and are not honoured are named on standard error, and
by: textmill models inspect NAME. Texts of a GGUF file begin and end as llama.cpp has it.

--precision says how the weights are stored:
  fp32   every weight as a float: the most exact, 4 bytes a weight
  q8     matrices in blocks of 32 with 8 bits, rounded here
  q4     matrices in blocks of 32 with 4 bits, rounded here: the smallest; the tokens' table keeps 8
  as-is  the exact values of a GGUF file's own blocks; other checkpoints as floats
  fp16, bf16
         as fp32, and a graph for a card beside it that computes in that type
Blocks of a GGUF file that are already as small as q8 or q4 asks for keep their exact values. What rounding costs is printed
by: textmill models verify NAME --against BUNDLE

--adapter folds a LoRA adapter, as peft saves one (adapter_config.json, adapter_model.safetensors), into a directory's weights: what
peft's merge_and_unload makes of them. DoRA, adapters of biases or of tokens' tables, and others that are more than a product that is
added are refused by name; so is one that changes what the model does not have.

--device cuda makes a graph for a card beside that for processors, which share their weights, and chooses its type: sample texts
run on the processor, and where values are too large for fp16 the graph computes there in fp32, or wholly in bf16, and says so.
Without it the first session on a card does the same, once. No card is needed here; none was there to run the graphs on.`,
		Example: `  textmill models import ./all-MiniLM-L6-v2 --name minilm
  textmill models import ~/Qwen3-0.6B --precision q8
  textmill models import ~/Qwen3-0.6B --device cuda
  textmill models import SmolLM2-135M-Instruct.Q4_1.gguf --precision as-is`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Source, o.Out, o.Progress = args[0], cmd.OutOrStdout(), s.progress(cmd)
			return bundles.Import(cmd.Context(), cfg, o)
		},
	}
	importFlags(cmd, &o)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func importFlags(cmd *cobra.Command, o *bundles.ImportOptions) {
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` of the model; default: derived from SRC")
	cmd.Flags().StringVar(&o.Precision, "precision", "fp32", "precision `P`: fp32, q8, q4 or as-is; fp16 or bf16 for a card")
	cmd.Flags().StringVar(&o.Task, "task", "", "task `T`: embed or generate; default: what the checkpoint was made for")
	cmd.Flags().StringVar(&o.Adapter, "adapter", "", "fold the LoRA adapter in the folder `DIR` into the weights")
	cmd.Flags().StringVar(&o.Adaptation, "adaptation", "",
		"`NAME` of what the checkpoint is adapted to, of its lora_adaptations (jina-embeddings-v3); default: its general weights")
	cmd.Flags().StringVar(&o.Device, "device", "", "cuda: make the graph for a card too")
}
