package textmill_test

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const configPath = module + "/config"

// TestEveryKeyIsRead finds keys of the configuration that change nothing: those whose field no code outside of config reads,
// itself or by a method of config's types.
func TestEveryKeyIsRead(t *testing.T) {
	c := compiled(t)
	config, err := c.Import(configPath)
	if err != nil {
		t.Fatal(err)
	}
	throughMethods := fieldsByFunc(c.check(t, configPath))
	read := map[string]bool{}
	for path, p := range c.packages {
		if path == configPath || !strings.HasPrefix(path, module+"/") || !slices.Contains(p.imports, configPath) {
			continue
		}
		for _, names := range fieldsByFunc(c.check(t, path)) {
			for name := range names {
				read[name] = true
				for field := range throughMethods[name] {
					read[field] = true
				}
			}
		}
	}
	keys := fieldsOf(config.Scope().Lookup("Config").Type())
	if len(keys) < 50 {
		t.Fatalf("found %d keys only: %v", len(keys), keys)
	}
	for _, key := range keys {
		if !read[key] {
			t.Errorf("config.%s: nothing outside of config reads it", key)
		}
	}
}

// fieldsOf lists the fields that hold keys, as Type.Field; keys that hold others are none themselves.
func fieldsOf(t types.Type) (keys []string) {
	named := t.(*types.Named)
	s := named.Underlying().(*types.Struct)
	for i := range s.NumFields() {
		if reflect.StructTag(s.Tag(i)).Get("yaml") == "" {
			continue
		}
		of := s.Field(i).Type()
		if m, ok := of.(*types.Map); ok {
			of = m.Elem()
		}
		if n, ok := of.(*types.Named); ok && n.Obj().Pkg().Path() == configPath {
			if _, ok := n.Underlying().(*types.Struct); ok {
				keys = append(keys, fieldsOf(n)...)
				continue
			}
		}
		keys = append(keys, named.Obj().Name()+"."+s.Field(i).Name())
	}
	return keys
}

// fieldsByFunc lists which fields and methods of config's types each function of a package reads or calls, as Type.Name; the
// functions are named likewise.
func fieldsByFunc(files []*ast.File, info *types.Info) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, file := range files {
		for _, decl := range file.Decls {
			name := "" // of what is no method
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				name = typeName(info.TypeOf(f.Recv.List[0].Type)) + "." + f.Name.Name
			}
			if all[name] == nil {
				all[name] = map[string]bool{}
			}
			written := map[ast.Expr]bool{}
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for _, left := range n.Lhs {
						written[left] = true
					}
				case *ast.SelectorExpr:
					if s := info.Selections[n]; s != nil && !written[n] && s.Obj().Pkg() != nil && s.Obj().Pkg().Path() == configPath {
						all[name][typeName(s.Recv())+"."+s.Obj().Name()] = true
					}
				}
				return true
			})
		}
	}
	return all
}

func typeName(t types.Type) string {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

// library imports packages from what the compiler wrote of them.
type library struct {
	types.Importer
	packages map[string]built
	fset     *token.FileSet
}

type built struct {
	export, dir    string
	files, imports []string
}

func compiled(t *testing.T) library {
	t.Helper()
	const each = "{{.ImportPath}}\t{{.Export}}\t{{.Dir}}\t{{join .GoFiles \",\"}}\t{{join .Imports \",\"}}"
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", each, "./...")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &failed)
	}
	l := library{packages: map[string]built{}, fset: token.NewFileSet()}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		l.packages[f[0]] = built{export: f[1], dir: f[2], files: strings.Split(f[3], ","), imports: strings.Split(f[4], ",")}
	}
	l.Importer = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.packages[path].export) })
	return l
}

// check knows the types in a package's source.
func (l library) check(t *testing.T, path string) ([]*ast.File, *types.Info) {
	t.Helper()
	var files []*ast.File
	for _, name := range l.packages[path].files {
		f, err := parser.ParseFile(l.fset, filepath.Join(l.packages[path].dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: l.Importer}
	if _, err := config.Check(path, l.fset, files, info); err != nil {
		t.Fatal(err)
	}
	return files, info
}
