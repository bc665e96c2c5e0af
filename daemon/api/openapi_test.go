package api

import (
	"encoding/json"
	"strings"
	"testing"

	"textmill/internal/reference"
)

func TestReferenceOfOpenAPI(t *testing.T) {
	raw, err := json.MarshalIndent(document(New(Options{}).Routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	reference.File(t, "openapi.json", string(raw)+"\n")
	if n := strings.Count(string(raw), `"summary"`); n != len(New(Options{}).Routes()) {
		t.Errorf("%d operations are described", n)
	}
}
