package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// target is a fuzz function and the test binary that holds it.
type target struct {
	pkg, name string
	dir       string // of the package's source, where seeds lie and crashers go
	binary    string
	corpus    string // where `go test` keeps what it found for this package
}

func (t target) String() string { return t.pkg + "." + t.name }

// build lists the targets by asking each package's tests for them, and compiles those packages for fuzzing into temp.
func build(ctx context.Context, o options, temp string) ([]target, error) {
	cache, err := goTool(ctx, o.dir, "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	listed, err := list(ctx, o.dir)
	if err != nil {
		return nil, err
	}
	var targets []target
	binaries := map[string]string{}
	for _, t := range listed {
		if !o.only.MatchString(t.String()) {
			continue
		}
		if binaries[t.pkg] == "" {
			binaries[t.pkg] = filepath.Join(temp, strconv.Itoa(len(binaries))+".test")
			if _, err := goTool(ctx, o.dir, "test", "-c", "-vet=off", "-fuzz=.", "-o", binaries[t.pkg], t.pkg); err != nil {
				return nil, err
			}
		}
		t.binary, t.corpus = binaries[t.pkg], filepath.Join(strings.TrimSpace(string(cache)), "fuzz", t.pkg)
		targets = append(targets, t)
	}
	if len(targets) == 0 {
		return nil, errors.New("there is no target of that name")
	}
	return targets, nil
}

// list returns the targets of all packages of the module in dir.
func list(ctx context.Context, dir string) ([]target, error) {
	packages, err := goTool(ctx, dir, "list", "-f", "{{.ImportPath}}\t{{.Dir}}", "./...")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(packages)) {
		pkg, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		dirs[pkg] = dir
	}
	events, err := goTool(ctx, dir, "test", "-json", "-vet=off", "-list", "^Fuzz", "./...")
	if err != nil {
		return nil, err
	}
	var targets []target
	for d := json.NewDecoder(bytes.NewReader(events)); ; {
		var e struct{ Action, Package, Output string }
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read what go test lists: %w", err)
		}
		if name := strings.TrimSpace(e.Output); e.Action == "output" && strings.HasPrefix(name, "Fuzz") {
			targets = append(targets, target{pkg: e.Package, name: name, dir: dirs[e.Package]})
		}
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.String(), b.String()) })
	return targets, nil
}

// goTool runs the go command; what it says goes into the error.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}
