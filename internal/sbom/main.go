// Command sbom lists what a built textmill is made of, with versions, hashes and licences, as CycloneDX JSON or as a
// table.
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	asJSON := flag.Bool("json", false, "CycloneDX 1.5 in the place of a table")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sbom [-json] BINARY")
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// part is a module that was compiled in, or a library that is loaded.
type part struct{ Name, Version, Sum, Licence string }

func run(w io.Writer, binary string, asJSON bool) error {
	parts, err := list(binary)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, parts)
	}
	for _, p := range parts {
		if _, err := fmt.Fprintf(w, "%-55s %-40s %s\n", p.Name, p.Version, p.Licence); err != nil {
			return err
		}
	}
	return nil
}

// list reads from the binary itself what it was built of; a licence that is not known is an error.
func list(binary string) ([]part, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	parts := []part{
		{Name: "std", Version: info.GoVersion, Licence: "BSD-3-Clause"},
		{Name: "onnxruntime", Version: "loaded at run time; see lib/VERSION", Licence: "MIT"},
	}
	var problems error
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		licence, err := licenceOf(m.Path, m.Version)
		problems = errors.Join(problems, err)
		parts = append(parts, part{m.Path, m.Version, m.Sum, licence})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.Name, b.Name) })
	return parts, problems
}

func licenceOf(module, version string) (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(found.Dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.Contains(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(found.Dir, e.Name()))
		if err != nil {
			return "", err
		}
		if l := recognise(text); l != "" {
			return l, nil
		}
	}
	return "", fmt.Errorf("%s %s: its licence is not known", module, version)
}

// recognise names a licence by words that no other one has.
func recognise(text []byte) string {
	words := string(bytes.ToLower(bytes.Join(bytes.Fields(text), []byte(" "))))
	for _, l := range []struct{ name, has, also string }{
		{"Apache-2.0", "apache license version 2.0", ""},
		{"MPL-2.0", "mozilla public license version 2.0", ""},
		{"MPL-2.0", "mozilla public license, version 2.0", ""},
		{"BSD-3-Clause", "redistributions in binary form must reproduce", "endorse or promote products"},
		{"BSD-2-Clause", "redistributions in binary form must reproduce", ""},
		{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose", ""},
		{"ISC", "permission to use, copy, modify, and distribute this software for any purpose", ""},
		{"Unlicense", "this is free and unencumbered software released into the public domain", ""},
		{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", ""},
	} {
		if strings.Contains(words, l.has) && strings.Contains(words, l.also) {
			return l.name
		}
	}
	return ""
}

func writeJSON(w io.Writer, parts []part) error {
	type license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	type component struct {
		Type     string    `json:"type"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		PURL     string    `json:"purl,omitempty"`
		Licenses []license `json:"licenses"`
	}
	var components []component
	for _, p := range parts {
		c := component{Type: "library", Name: p.Name, Version: p.Version, Licenses: make([]license, 1)}
		c.Licenses[0].License.ID = p.Licence
		if p.Sum != "" {
			c.PURL = "pkg:golang/" + p.Name + "@" + p.Version
		}
		components = append(components, c)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"components": components})
}
