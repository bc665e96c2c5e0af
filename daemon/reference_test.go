package daemon

import (
	"fmt"
	"strings"
	"testing"

	"textmill/internal/reference"
)

// TestReferenceOfVerdicts writes down the values of the label verdict.
func TestReferenceOfVerdicts(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| verdict | |\n|---|---|")
	for k, what := range []string{
		handedBack: "handed back to the queue, which delivers it again",
		committed:  "its rows are in the table",
		skipped:    "its rows were there before it came",
		dead:       "it is a dead letter",
		cancelled:  "its job was cancelled",
	} {
		fmt.Fprintf(&out, "| `%v` | %s |\n", kind(k), what)
	}
	reference.Holds(t, "metrics.md", "verdicts", out.String())
}
