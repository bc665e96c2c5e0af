package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Each module that is compiled into textmill has a licence that is known, and none that binds its users.
func TestLicencesAreKnown(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "textmill")
	if out, err := exec.Command("go", "build", "-o", binary, "textmill/cmd/textmill").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if parts, err := list(binary); err != nil || len(parts) < 20 {
		t.Errorf("%d parts: %v", len(parts), err)
	}
	for text, want := range map[string]string{
		"Permission is hereby granted, free of charge,\n to any person obtaining a copy": "MIT",
		"Apache License\n Version 2.0, January 2004":                                     "Apache-2.0",
		"GNU GENERAL PUBLIC LICENSE":                                                     "",
	} {
		if got := recognise([]byte(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
