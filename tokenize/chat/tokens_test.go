package chat

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"textmill/internal/golden"
)

// testdata/tokens.py asks transformers' AutoTokenizer which tokens templates see.
func TestTokensAreThoseOfTransformers(t *testing.T) {
	type row struct {
		Files map[string]json.RawMessage
		Want  map[string]string
	}
	dir := t.TempDir()
	rows := golden.Values[row](t, "testdata/tokens.jsonl.gz")
	for _, row := range rows {
		for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "config.json", "tokenizer.json"} {
			path := filepath.Join(dir, name)
			err := os.Remove(path)
			if content, ok := row.Files[name]; ok {
				err = os.WriteFile(path, content, 0o600)
			}
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		c, err := LoadConfig(dir)
		if err != nil {
			t.Fatalf("%s: %v", row.Files, err)
		}
		if !maps.Equal(c.Tokens, row.Want) {
			t.Errorf("tokens are %q, want %q, of %s", c.Tokens, row.Want, row.Files)
		}
	}
	if len(rows) < 3000 {
		t.Errorf("%d cases", len(rows))
	}
}
