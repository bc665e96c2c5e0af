package textmill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

const (
	longestFile     = 300 // lines
	longestFunction = 60
)

// long are functions that are read as one list of cases, which would only be harder to follow in pieces.
var long = map[string]bool{
	"internal/chaos/faults.go: inject":                     true,
	"internal/chaos/run/main.go: run":                      true,
	"models/internal/tiny/tiny.go: ONNX":                   true,
	"models/sample/selection.go: edge":                     true,
	"tokenize/chat/internal/jinja/compile_expr.go: expr":   true,
	"tokenize/chat/internal/jinja/loop.go: forStatement":   true,
	"tokenize/chat/internal/python/format.go: parseSpec":   true,
	"tokenize/chat/internal/python/search.go: addSearches": true,
	"tokenize/internal/split/groups.go: group":             true,
	"tokenize/internal/split/match.go: follow":             true,
}

// TestFilesAndFunctionsFitAScreen holds the product's code to its sizes. Tests may be as long as their cases.
func TestFilesAndFunctionsFitAScreen(t *testing.T) {
	met := map[string]bool{}
	for _, s := range tree(t) {
		if s.isTest() || s.top == "test" {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, s.path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if n := fset.File(f.Pos()).LineCount() - 1; n > longestFile {
			t.Errorf("%s has %d lines; cut it where another idea begins, at %d at most", s.path, n, longestFile)
		}
		for _, d := range f.Decls {
			function, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			name := s.path + ": " + function.Name.Name
			n := fset.Position(function.End()).Line - fset.Position(function.Pos()).Line + 1
			met[name] = met[name] || n > longestFunction
			if n > longestFunction && !long[name] {
				t.Errorf("%s has %d lines, more than %d", name, n, longestFunction)
			}
		}
	}
	for name := range long {
		if !met[name] {
			t.Errorf("%s is not long, and need not be named", name)
		}
	}
}
