package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// require makes flags mandatory, as wrong usage rather than as a failure.
func require(cmd *cobra.Command, names ...string) {
	next := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		for _, name := range names {
			if !c.Flags().Changed(name) {
				return usageError{c.CommandPath(), fmt.Errorf("--%s is needed", name)}
			}
		}
		if next != nil {
			return next(c, args)
		}
		return nil
	}
}

// params collects --param k=v; each may be given once.
type params struct{ to *map[string]string }

func (p params) Type() string   { return "K=V" }
func (p params) String() string { return "" }

func (p params) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return fmt.Errorf("%q is not of the form name=value", s)
	}
	if _, twice := (*p.to)[k]; twice {
		return fmt.Errorf("%s is given twice", k)
	}
	if *p.to == nil {
		*p.to = map[string]string{}
	}
	(*p.to)[k] = v
	return nil
}
