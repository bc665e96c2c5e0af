package jobs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestReferenceOfErrors finds a class of errors that docs/reference/errors.md does not explain, and one that it invents.
func TestReferenceOfErrors(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(page), -1) {
		explained[m[1]] = true
	}
	f, err := parser.ParseFile(token.NewFileSet(), "jobs.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		class, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if !explained[class] {
			t.Errorf("docs/reference/errors.md does not say what %s means and what to do", class)
		}
		delete(explained, class)
		return true
	})
	for class := range explained {
		t.Errorf("docs/reference/errors.md explains %s, which is no class", class)
	}
	if n < 15 {
		t.Errorf("found %d classes", n)
	}
}
