package bundles

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"textmill/ground/plain"
	"textmill/models/fetch"
)

// knownAnswer is a line of `textmill models list --known --json`.
type knownAnswer struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Revision   string `json:"revision"`
	Task       string `json:"task"`
	Kind       string `json:"kind"`
	Dim        int    `json:"dim,omitempty"`
	Parameters string `json:"parameters"`
	License    string `json:"license,omitempty"`
	Pinned     bool   `json:"pinned"`
	Supported  bool   `json:"supported"`
}

// ListKnown writes the models that can be pulled by name.
func ListKnown(out io.Writer, asJSON bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "NAME\tTASK\tKIND\tDIM\tPARAMETERS\tLICENSE\tBYTES\tTODAY\tREPOSITORY")
	}
	for _, n := range fetch.KnownNames() {
		a := knownAnswer{n.Name, n.Repository, "main", n.Task, n.Kind, n.Dim, n.Parameters, n.License, n.Pinned, n.Runs()}
		dim, bytes, today := "-", "unpinned", "yes"
		if n.Dim > 0 {
			dim = strconv.Itoa(n.Dim)
		}
		if n.Pinned {
			a.Revision, bytes = "pinned", "pinned"
		}
		if !a.Supported {
			today = "no: " + n.Kind + " cannot be imported"
		}
		if asJSON {
			if err := plain.JSON(out, a); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, n.Task, n.Kind, dim, n.Parameters,
			cmp.Or(n.License, "not stated"), bytes, today, n.Repository)
	}
	return w.Flush()
}
