package web

import (
	"fmt"
	"strings"
	"testing"

	"textmill/internal/reference"
)

func TestReferenceOfPages(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| path | token | |\n|---|---|---|")
	for _, p := range (&Server{}).Pages() {
		guard := "no"
		if p.Guarded {
			guard = "yes"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", p.Path, guard, reference.Cell(p.About))
	}
	reference.Holds(t, "http.md", "pages", out.String())
}
