package checkpoint_test

import (
	"path/filepath"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// sentences scores what sentence-transformers makes of texts without params; package embedding tests all others.
func sentences(t *testing.T, name string) (s score) {
	dir := filepath.Join("testdata", "embedders", name)
	var want struct {
		Texts []string `json:"texts"`
		Cases []struct {
			Vectors [][]float32 `json:"vectors"`
		} `json:"cases"`
	}
	readJSON(t, filepath.Join(dir, "golden.json"), &want)
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: dir, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	e, err := embed.Open(t.Context(), spec, session.Options{Home: t.TempDir(), Library: places.Library(home), BatchTokens: 256})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close() //nolint:errcheck // of a test
	rows := make([]embed.Row, len(want.Texts))
	for i, text := range want.Texts {
		body, _, err := tok.AppendBody(nil, nil, text)
		if err != nil {
			t.Fatal(err)
		}
		rows[i].IDs, _ = tok.AppendInput(nil, nil, body[:min(len(body), spec.MaxLength-tok.NumSpecial())])
	}
	vectors, err := e.Embed(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vectors {
		wanted := want.Cases[0].Vectors[i]
		s.vector(v[:len(wanted)], wanted) // truncate_dim keeps fewer
	}
	return s
}
