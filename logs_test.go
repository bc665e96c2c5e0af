package textmill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLogsSpeakOneWay holds lines of the log to one vocabulary: keys are lower_case and the same everywhere, an error is under
// "error" as it is, and who has a context hands it on.
func TestLogsSpeakOneWay(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	instead := map[string]string{"err": "error", "table": "dataset"}
	for _, s := range tree(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, s.path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		eachLogCall(file, func(call *ast.CallExpr, method string, hasContext bool) {
			at := fset.Position(call.Pos())
			args := call.Args
			switch {
			case strings.HasSuffix(method, "Context"):
				args = args[1:]
			case hasContext && method != "With":
				t.Errorf("%s: %s although there is a context; use %sContext", at, method, method)
			}
			if method != "With" {
				args = args[1:]
			}
			for i := 0; i+1 < len(args); i += 2 {
				literal, ok := args[i].(*ast.BasicLit)
				if !ok {
					break // attributes that are gathered elsewhere
				}
				key, err := strconv.Unquote(literal.Value)
				if err != nil || !snake.MatchString(key) {
					t.Errorf("%s: key %s is not in snake_case", at, literal.Value)
				}
				if better := instead[key]; better != "" {
					t.Errorf("%s: key %q is called %q everywhere", at, key, better)
				}
				if value, ok := args[i+1].(*ast.CallExpr); ok && key == "error" {
					if f, ok := value.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Error" {
						t.Errorf("%s: an error is logged as it is, not its text", at)
					}
				}
			}
		})
	}
}

// eachLogCall finds calls of a logger's methods; hasContext tells whether a function around one takes a context.
func eachLogCall(file *ast.File, found func(call *ast.CallExpr, method string, hasContext bool)) {
	methods := []string{"Debug", "Info", "Warn", "Error", "With", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"}
	var around []bool
	var stack []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil {
			switch stack[len(stack)-1].(type) {
			case *ast.FuncDecl, *ast.FuncLit:
				around = around[:len(around)-1]
			}
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		switch n := n.(type) {
		case *ast.FuncDecl:
			around = append(around, takesContext(n.Type))
		case *ast.FuncLit:
			around = append(around, takesContext(n.Type) || len(around) > 0 && around[len(around)-1])
		case *ast.CallExpr:
			f, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(methods, f.Sel.Name) || !isLogger(f.X) {
				return true
			}
			found(n, f.Sel.Name, len(around) > 0 && around[len(around)-1])
		}
		return true
	})
}

func isLogger(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return strings.EqualFold(x.Name, "log") || strings.EqualFold(x.Name, "logger")
	case *ast.SelectorExpr:
		return isLogger(x.Sel)
	}
	return false
}

func takesContext(f *ast.FuncType) bool {
	return slices.ContainsFunc(f.Params.List, func(p *ast.Field) bool {
		s, ok := p.Type.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Context" && len(p.Names) > 0 && p.Names[0].Name != "_"
	})
}
