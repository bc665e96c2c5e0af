package main

import (
	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func embedCommand(s *settings) *cobra.Command {
	var o local.EmbedOptions
	cmd := &cobra.Command{
		Use:   "embed --model M [--param k=v]... [TEXT...]",
		Short: "Embed texts with a model of the cache, without a queue",
		Long: `Embeds TEXTs, or without any the records {"id","text"} of JSONL on standard input, and writes one JSON line for each,
in the same order: {"id","embedding","dim","norm","n_tokens","truncated","n_dropped"}.
A record that cannot be embedded is {"id","error":"class: message"}; how many there were is told on standard error.`,
		Example: `  textmill embed --model all-MiniLM-L6-v2 "read a file line by line"
  textmill embed --model all-MiniLM-L6-v2 --param dimensions=256 < texts.jsonl > vectors.jsonl
  textmill embed --model all-MiniLM-L6-v2 --out ./docs < texts.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(append(flagSetting(cmd, "device", "runtime.device"), flagSetting(cmd, "threads", "runtime.threads")...)...)
			if err != nil {
				return err
			}
			o.Texts = local.Texts{Args: args, In: cmd.InOrStdin()}
			o.Out, o.Log = cmd.OutOrStdout(), logger(cfg, cmd.ErrOrStderr())
			return local.Embed(cmd.Context(), cfg, o)
		},
	}
	flags := cmd.Flags()
	modelFlag(cmd, &o.Model)
	paramFlag(cmd, &o.Params)
	flags.StringVar(&o.Dir, "out", "", "write rows to the Delta table `DIR`, in one commit, instead of JSON lines")
	flags.String("device", "", "auto, cpu or cuda:N (runtime.device)")
	flags.Int("threads", 0, "threads of ONNX Runtime; 0: all that the container may use (runtime.threads)")
	return cmd
}

// modelFlag adds --model, without which the command is used wrongly.
func modelFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVarP(to, "model", "m", "", "`NAME` of a model in the cache (textmill models list)")
	require(cmd, "model")
}

// paramFlag adds --param k=v.
func paramFlag(cmd *cobra.Command, to *map[string]string) {
	cmd.Flags().VarP(params{to}, "param", "p", "a param of the task, `K=V`; may be repeated")
}
