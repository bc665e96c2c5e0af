package tokenize

import (
	"slices"
	"testing"

	"textmill/internal/golden"
)

func miniLM(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Parse(golden.Bytes(t, "testdata/all-minilm-l6-v2.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestGoldenMiniLM holds every text of the reference embeddings to the IDs that sentence-transformers gave the model.
func TestGoldenMiniLM(t *testing.T) {
	tok := miniLM(t)
	type embedded struct {
		ID       string  `json:"id"`
		Text     string  `json:"text"`
		InputIDs []int32 `json:"input_ids"`
		Full     int     `json:"n_tokens_full"`
	}
	all := golden.Values[embedded](t, "../models/embed/testdata/golden.jsonl.gz")
	for _, want := range all {
		e, err := tok.Encode(want.Text, Options{Truncation: &Truncation{MaxLength: 256}})
		if err != nil {
			t.Fatalf("%s: %v", want.ID, err)
		}
		if !slices.Equal(e.IDs, want.InputIDs) {
			t.Errorf("%s: Encode gave %v, want %v", want.ID, e.IDs, want.InputIDs)
		}
		body, spans, err := tok.AppendBody(nil, nil, want.Text)
		if err != nil || len(body)+tok.NumSpecial() != want.Full || len(spans) != len(body) {
			t.Errorf("%s: AppendBody gave %d tokens and %d spans, want %d less %d", want.ID, len(body), len(spans),
				want.Full, tok.NumSpecial())
		}
		ids, types := tok.AppendInput(nil, nil, body[:min(len(body), 254)])
		if !slices.Equal(ids, want.InputIDs) || len(types) != len(ids) {
			t.Errorf("%s: AppendInput gave %v, want %v", want.ID, ids, want.InputIDs)
		}
	}
	if len(all) != 168 {
		t.Errorf("compared %d texts, want 168", len(all))
	}
}
