package tokenize

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"testing"
)

// gunzip reads a file of testdata.
func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func miniLM(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Parse(gunzip(t, "all-minilm-l6-v2.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestGoldenMiniLM holds every text of the reference embeddings to the IDs that sentence-transformers gave the model.
func TestGoldenMiniLM(t *testing.T) {
	tok := miniLM(t)
	lines := bufio.NewScanner(bytes.NewReader(gunzip(t, "golden-minilm.jsonl.gz")))
	lines.Buffer(nil, 1<<24)
	n := 0
	for ; lines.Scan(); n++ {
		var want struct {
			ID       string  `json:"id"`
			Text     string  `json:"text"`
			InputIDs []int32 `json:"input_ids"`
			Full     int     `json:"n_tokens_full"`
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		e, err := tok.Encode(want.Text, Options{Truncation: &Truncation{MaxLength: 256}})
		if err != nil {
			t.Fatalf("%s: %v", want.ID, err)
		}
		if !slices.Equal(e.IDs, want.InputIDs) {
			t.Errorf("%s: Encode gave %v, want %v", want.ID, e.IDs, want.InputIDs)
		}
		body, spans := tok.AppendBody(nil, nil, want.Text)
		if len(body)+tok.NumSpecial() != want.Full || len(spans) != len(body) {
			t.Errorf("%s: AppendBody gave %d tokens and %d spans, want %d less %d", want.ID, len(body), len(spans),
				want.Full, tok.NumSpecial())
		}
		ids, types := tok.AppendInput(nil, nil, body[:min(len(body), 254)])
		if !slices.Equal(ids, want.InputIDs) || len(types) != len(ids) {
			t.Errorf("%s: AppendInput gave %v, want %v", want.ID, ids, want.InputIDs)
		}
	}
	if n != 168 {
		t.Errorf("compared %d texts, want 168", n)
	}
}
