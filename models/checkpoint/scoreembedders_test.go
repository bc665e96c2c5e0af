package checkpoint_test

import (
	"path/filepath"
	"testing"

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
	spec := openBundle(t, r.Dir)
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	e := openEmbedder(t, spec, session.Options{BatchTokens: 256})
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
