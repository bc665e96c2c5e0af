package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"textmill/tokenize/sugarme"
)

// childCommand is what textmill starts of itself to have work done in a process of its own; nobody types it.
func childCommand() *cobra.Command {
	return &cobra.Command{
		Use:    sugarme.ChildCommand + " TOKENIZER",
		Short:  "Answer the process that started this one",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if status := sugarme.Serve(args[0]); status != exitDone {
				return exited(status)
			}
			return nil
		},
	}
}

// exited is a child's end, whose reason it has told itself.
type exited int

func (e exited) Error() string { return fmt.Sprintf("ended with %d", int(e)) }
