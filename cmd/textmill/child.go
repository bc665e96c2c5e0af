package main

import (
	"os"

	"github.com/spf13/cobra"

	"textmill/daemon/local"
)

// childCommand is what textmill starts of itself to have work done in a process of its own; nobody types it.
func childCommand() *cobra.Command {
	return &cobra.Command{
		Use:    local.ChildCommand + " TOKENIZER",
		Short:  "Answer the process that started this one",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		Run:    func(_ *cobra.Command, args []string) { os.Exit(local.ServeChild(args[0])) },
	}
}
