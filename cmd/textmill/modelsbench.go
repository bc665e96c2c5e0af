package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"textmill/ground/regular"
	"textmill/local/bench"
)

func modelsBenchCommand(s *settings) *cobra.Command {
	var asJSON bool
	var each time.Duration
	var prompts string
	var o bench.Prompts
	cmd := &cobra.Command{
		Use:   "bench NAME",
		Short: "Measure a model's rate",
		Long: `Measures how many texts a second an embedding model embeds, for several batch sizes, or how many tokens a second a
generation model adds to the records of --prompts, after a warm-up and without the time to load the model.
The daemon's page of the model shows what was found on its machine.`,
		Example: `  textmill models bench all-MiniLM-L6-v2 --each 5s
  textmill models bench SmolLM2-135M-Instruct --prompts prompts.jsonl --param max_new_tokens=128`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeOne(s, completeModels),
		RunE: func(cmd *cobra.Command, args []string) error {
			if each <= 0 {
				return usageError{cmd.CommandPath(), errors.New("--each must be above 0")}
			}
			if prompts == "" && (o.Alone || o.Params != nil) {
				return usageError{cmd.CommandPath(), errors.New("--param and --alone need --prompts")}
			}
			cfg, err := s.load(runtimeSettings(cmd)...)
			if err != nil {
				return err
			}
			log := logger(cfg, cmd.ErrOrStderr())
			if prompts == "" {
				return bench.Embedding(cmd.Context(), cfg, args[0], each, cmd.OutOrStdout(), asJSON, log)
			}
			f, err := regular.Open(prompts)
			if err != nil {
				return err
			}
			defer f.Close()
			o.Model, o.Texts.In, o.JSON, o.Out = args[0], f, asJSON, cmd.OutOrStdout()
			return bench.Generation(cmd.Context(), cfg, o, log)
		},
	}
	cmd.Flags().DurationVar(&each, "each", 3*time.Second, "`TIME` for each batch size")
	cmd.Flags().StringVar(&prompts, "prompts", "", "JSONL `FILE` of records for a generation model")
	cmd.Flags().BoolVar(&o.Alone, "alone", false, "run each prompt after the one before it has ended")
	paramFlag(cmd, &o.Params)
	runtimeFlags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}
