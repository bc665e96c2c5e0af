package main

import (
	"github.com/spf13/cobra"

	"textmill/cmd/textmill/demo"
)

func demoCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Embed the documentation of Go's standard library, ask it three questions, and explain the answers",
		Long: `Publishes the documentation comments of this machine's own Go standard library to an embedded NATS server, embeds them
with a daemon in this process, commits the rows to a table under <data>/demo, which is made anew each time, asks
the table three questions, has SmolLM2-135M-Instruct explain the best match of each in a sentence, and prints how to read
the table with DuckDB, Polars and pandas.`,
		Example: `  textmill demo`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.loadPlaces(cmd)
			if err != nil {
				return err
			}
			if cfg.Log.Level == "info" {
				cfg.Log.Level = "warn" // progress says enough
			}
			return demo.Run(cmd.Context(), cfg, demo.Options{
				Stdout: cmd.OutOrStdout(), Stderr: s.progress(cmd), Terminal: onTerminal() && !s.mute, Version: version,
				Log: logger(cfg, cmd.ErrOrStderr()),
			})
		},
	}
}
