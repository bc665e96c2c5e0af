package main

import (
	"github.com/spf13/cobra"

	"textmill/local/bundles"
)

func modelsCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "Look at, obtain and check the models of the cache",
		Example: `  textmill models list
  textmill models inspect all-MiniLM-L6-v2 --json
  textmill models verify`,
	}
	cmd.AddCommand(modelsListCommand(s), modelsInspectCommand(s), modelsPullCommand(s), modelsImportCommand(s),
		modelsVerifyCommand(s), modelsBenchCommand(s), modelsRemoveCommand(s))
	return cmd
}

func modelsListCommand(s *settings) *cobra.Command {
	var asJSON, known bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models that can be run",
		Long: `Lists the models of the cache and of the configuration; with --known those that textmill models pull knows by name: what
they are for, how long their vectors are, how many parameters they have, their license as their card on the hub names it, whether
every byte is pinned here, and whether they can be imported today.`,
		Example: `  textmill models list --json
  textmill models list --known`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if known {
				return bundles.ListKnown(cmd.OutOrStdout(), asJSON)
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return bundles.List(cfg, cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&known, "known", false, "the models that can be pulled by name, in place of those that are here")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelsInspectCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "inspect NAME",
		Short:   "Show what a model's own files say about it, and what was measured of it here",
		Example: `  textmill models inspect all-MiniLM-L6-v2`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeOne(s, completeModels),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return bundles.Inspect(cfg, args[0], cmd.OutOrStdout(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelsVerifyCommand(s *settings) *cobra.Command {
	var o bundles.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Compare every file of the models with the hashes that were recorded, and their graphs with exact ones",
		Long: `Reads all files of the models and compares their SHA-256 with what was recorded when they arrived.

Each graph is opened, and what it was measured to need on this machine for the same bits in every batch is printed; for models
to generate with also how fast it is.

Of a model to generate with that was imported, the graphs with 8-bit activations are run beside the most exact one over a
fixed set of texts: the divergence (KL) of the next token's distribution, the error of the logits, and how often both find
the same token the likeliest are printed. --against does it with another model of the cache, or with the checkpoint itself
imported as fp32, so that weights rounded at import can be judged too. The daemon's page of the model shows what was found.

--device runs the graph for a card there, and makes it if there is none yet: cuda:0 and so on, or cpu, where what a processor
lacks is computed with the same numbers another way. Sample texts give its drift from the processor's graph: the worst cosine of
vectors; of models to generate with the divergence, the error of the logits, and how often the greedy token is the same. It fails
where a cosine is below 0.9999, or the mean divergence above 0.001 (0.05 for bf16,
and where the processor's graph rounds activations to 8 bits). Not run on a card.`,
		Example: `  textmill models verify all-MiniLM-L6-v2
  textmill models verify smol-q4 --against SmolLM2-135M-Instruct
  textmill models verify smol-q4 --against SmolLM2-135M-Instruct.Q4_1.gguf --json
  textmill models verify --device cuda:0 --against cpu all-MiniLM-L6-v2`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeMany(s, completeModels),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			o.Names, o.Out, o.Progress = args, cmd.OutOrStdout(), s.progress(cmd)
			return bundles.Verify(cmd.Context(), cfg, o)
		},
	}
	cmd.Flags().StringVar(&o.Against, "against", "",
		"`MODEL` of the cache, or GGUF file or directory, to compare logits with; with --device only cpu")
	cmd.Flags().StringVar(&o.Device, "device", "", "`DEVICE` to run graphs for a card on: cuda:N, or cpu")
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func modelsRemoveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME...",
		Short: "Delete models of the cache",
		Long: `Deletes the folders of the models with all of their files. A daemon that serves one goes on with it until it ends, and will not
start without it where its configuration names it. Rows that it made stay; the searches and jobs that ask for it again need it back.`,
		Example:           `  textmill models remove bge-small`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeMany(s, completeModels),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return bundles.Remove(cfg, args, cmd.OutOrStdout())
		},
	}
}
