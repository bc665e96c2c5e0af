package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

func modelsCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "Look at, obtain and check the models of the cache",
		Example: `  textmill models list
  textmill models inspect all-MiniLM-L6-v2 --json
  textmill models verify`,
	}
	cmd.AddCommand(modelsListCommand(s), modelsInspectCommand(s), modelsPullCommand(s), modelsImportCommand(s), modelsVerifyCommand(s), modelsBenchCommand(s))
	return cmd
}

func modelsListCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the models that can be run",
		Example: `  textmill models list --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return local.ListModels(cfg, cmd.OutOrStdout(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelsInspectCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "inspect NAME",
		Short:   "Show what a model's own files say about it",
		Example: `  textmill models inspect all-MiniLM-L6-v2`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return local.InspectModel(cfg, args[0], cmd.OutOrStdout(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelsVerifyCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "verify [NAME...]",
		Short:   "Compare every file of the models with the hashes recorded at pull",
		Example: `  textmill models verify all-MiniLM-L6-v2`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return local.VerifyModels(cmd.Context(), cfg, args, cmd.OutOrStdout(), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelsBenchCommand(s *settings) *cobra.Command {
	var asJSON bool
	var each time.Duration
	cmd := &cobra.Command{
		Use:     "bench NAME",
		Short:   "Measure a model's rate for several batch sizes",
		Example: `  textmill models bench all-MiniLM-L6-v2 --each 5s`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if each <= 0 {
				return usageError{cmd.CommandPath(), errors.New("--each must be above 0")}
			}
			cfg, err := s.load(runtimeSettings(cmd)...)
			if err != nil {
				return err
			}
			return local.BenchModel(cmd.Context(), cfg, args[0], each, cmd.OutOrStdout(), asJSON, logger(cfg, cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().DurationVar(&each, "each", 3*time.Second, "`TIME` for each batch size")
	runtimeFlags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}
