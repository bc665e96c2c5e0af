package demo

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"textmill/jobs"
)

// ErrNoSource: this machine has no source of Go's standard library.
var ErrNoSource = errors.New("the source of Go's standard library is not on this machine")

// goRoot asks the environment, then the go command, where Go lies.
func goRoot(ctx context.Context) (string, error) {
	root := os.Getenv("GOROOT")
	if root == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("%w: %w; install Go from go.dev/doc/install, or set GOROOT", ErrNoSource, err)
		}
		root = strings.TrimSpace(string(out))
	}
	if _, err := os.Stat(filepath.Join(root, "src", "bufio")); err != nil {
		return "", fmt.Errorf("%w: %w; some distributions package it apart (Debian: apt-get install golang-src), or install Go from go.dev/doc/install",
			ErrNoSource, err)
	}
	return root, nil
}

// corpus calls each for every documentation comment of the standard library's public packages, in the order of their
// paths and names. Ids are those of `go doc`: bufio, bufio.Scanner, bufio.Scanner.Scan.
func corpus(ctx context.Context, root string, each func(jobs.Record) error) error {
	src := filepath.Join(root, "src")
	return filepath.WalkDir(src, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		switch name := d.Name(); {
		case slices.Contains([]string{"testdata", "vendor", "internal", "cmd", "builtin"}, name), name[0] == '_',
			name[0] == '.':
			return fs.SkipDir
		}
		path, err := filepath.Rel(src, dir)
		if err != nil || path == "." {
			return err
		}
		return documented(dir, filepath.ToSlash(path), each)
	})
}

// documented reads one package, as it is built for this machine, so that a name has one comment.
func documented(dir, path string, each func(jobs.Record) error) error {
	here, err := build.Default.ImportDir(dir, 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read package %s: %w", path, err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range append(here.GoFiles, here.CgoFiles...) {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse package %s: %w", path, err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, path)
	if err != nil {
		return fmt.Errorf("read the comments of package %s: %w", path, err)
	}
	w := comments{path: path, each: each}
	w.pkg(p)
	return w.err
}

// comments hands out the comments of one package; after an error it hands out nothing more.
type comments struct {
	path string
	each func(jobs.Record) error
	err  error
}

func (c *comments) add(name, kind, text string) {
	if text = strings.TrimSpace(text); text == "" || c.err != nil {
		return
	}
	id := c.path
	if name != "" {
		id += "." + name
	}
	c.err = c.each(jobs.Record{ID: id, Text: text, Attributes: map[string]string{"package": c.path, "kind": kind}})
}

func (c *comments) pkg(p *doc.Package) {
	c.add("", "package", p.Doc)
	c.values("const", p.Consts)
	c.values("var", p.Vars)
	c.funcs("func", "", p.Funcs)
	for _, t := range p.Types {
		c.add(t.Name, "type", t.Doc)
		c.values("const", t.Consts)
		c.values("var", t.Vars)
		c.funcs("func", "", t.Funcs)
		c.funcs("method", t.Name+".", t.Methods)
	}
}

// values are groups of names under one comment; the first name stands for the group.
func (c *comments) values(kind string, groups []*doc.Value) {
	for _, v := range groups {
		c.add(v.Names[0], kind, v.Doc)
	}
}

func (c *comments) funcs(kind, prefix string, funcs []*doc.Func) {
	for _, f := range funcs {
		c.add(prefix+f.Name, kind, f.Doc)
	}
}
